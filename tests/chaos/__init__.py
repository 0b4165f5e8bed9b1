"""The proof of the delivery promises: parts die, freeze and go away under load, and are checked.

    ./dev chaos                              # every scenario, one seed, 1,000 messages
    ./dev chaos --seed 7 --messages 200      # another one, shorter
    ./dev chaos --seeds 3                    # seeds 1, 2 and 3
    ./dev chaos --only kills rolling         # some scenarios

`history` is what was seen from outside: by the clients, by the receiver, in the database.
`checker` counts in it what the product promises never to happen. `stage` has the real processes,
`clients` those who post, `mischief` what befalls the parts, `scenarios` the stories.

Nothing here knows how the engine works: what it may do is told by README's promises alone.
"""
