"""What the originals say when something is wrong: REST framework's sentences, in two tongues.

By the codes of `app.errors`, and by what can be wrong with one field. Clients of the originals
compare some of these. What has no sentence here is said in the service's own words, in Russian
those of the catalogue (`app.languages`).
"""

from collections.abc import Mapping

Words = Mapping[str, str]

ENGLISH: Words = {
    "required": "This field is required.",
    "null": "This field may not be null.",
    "blank": "This field may not be blank.",
    "not_text": "Not a valid string.",
    "not_number": "A valid integer is required.",
    "unauthenticated": "Authentication credentials were not provided.",
    "invalid_token": "Token is invalid or expired",
    "wrong_credentials": "No active account found with the given credentials",
    "forbidden": "You do not have permission to perform this action.",
    "not_found": "Not found.",
    "method_not_allowed": 'Method "{method}" not allowed.',
    "username_taken": "A user with that username already exists.",
    "too_many_requests": "Request was throttled. Expected available in {wait} seconds.",
    "too_many_failures": "Request was throttled. Expected available in {wait} seconds.",
}

RUSSIAN: Words = {
    "required": "Обязательное поле.",
    "null": "Это поле не может быть null.",
    "blank": "Это поле не может быть пустым.",
    "not_text": "Здесь нужна строка.",
    "not_number": "Требуется целочисленное значение.",
    "unauthenticated": "Учетные данные не были предоставлены.",
    "invalid_token": "Токен недействителен или просрочен",
    "wrong_credentials": "Не найдено активной учетной записи с указанными данными",
    "forbidden": "У вас нет прав для выполнения этой операции.",
    "not_found": "Не найдено.",
    "no_such_page": "Неправильная страница",
    "method_not_allowed": 'Метод "{method}" не разрешен.',
    "username_taken": "Пользователь с таким именем уже существует.",
    "too_many_requests": "Слишком много запросов. Повторите через {wait} с.",
    "too_many_failures": "Слишком много неудачных попыток. Повторите через {wait} с.",
}
