"""How much hypothesis tries: a little by default, a lot with `--hypothesis-profile=long`."""

from hypothesis import HealthCheck, Phase, settings

settings.register_profile("long", max_examples=500, stateful_step_count=50)


def examples(few: int) -> settings:
    """Settings for a property: `few` examples, or those of the long profile.

    Nothing is kept between runs, and a slow machine is no failure.
    """
    found = settings(
        deadline=None,
        database=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
    return found if _is_long() else settings(found, max_examples=few)


def walks(few: int, steps: int) -> settings:
    """Settings for a state machine: `few` walks of so many steps, or those of the long profile.

    The machines walk on a real database, where no walk finds what the one before found: a failure
    is told as it happened and not made smaller.
    """
    found = settings(examples(few), phases=[Phase.generate])
    return found if _is_long() else settings(found, stateful_step_count=steps)


def _is_long() -> bool:
    return settings.get_current_profile_name() == "long"
