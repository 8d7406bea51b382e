#!/usr/bin/env python3
"""What refusals and events mean to an operator, and what can be done.

Commands and settings stand in backquotes or by their full name; a test looks
whether they exist. ``WHO`` is where the id of the user belongs.
"""

from typing import Dict, NamedTuple

from vestibule.kernel.sessions import DISABLED, EXPIRED, IDLE, LEAVING

WHO = "WHO"


class Meaning(NamedTuple):
    """What decided, and what an operator can do, where that is anything."""

    why: str
    hint: str = ""


CLIENT = "Look at the program that sent it: the request itself is at fault."
UNKNOWN = Meaning("")
# By the code of a refusal.
OF_CODES: Dict[str, Meaning] = {
    "invalid_input": Meaning("Some fields are unfit.", CLIENT),
    "email_taken": Meaning(
        "The address belongs to somebody, or is kept free for whoever left "
        "it.", "See `vestibule users show` with the address."),
    "invalid_credentials": Meaning(
        "The address and the password do not let anybody in; the client is "
        "not told which of them it was.",
        "The event login.refused of this request says which it was."),
    "session_required": Meaning(
        "No live session came with the request, or it ended meanwhile.",
        "The person signs in again."),
    "reauthentication_required": Meaning(
        "The last proof of this session is more than five minutes old.",
        "The app calls POST /session/reauthenticate first."),
    "factor_required": Meaning(
        "The password was right, and another factor is still to be proved."),
    "forbidden": Meaning("Whoever asked may not do this."),
    "wrong_password": Meaning(
        "The password that was asked for was another one.",
        "See `vestibule users reset-link` for somebody who forgot it."),
    "cross_site": Meaning(
        "A browser sent it from a page of another site.",
        "Pages of your own other origins belong into VESTIBULE_CORS_ORIGINS; "
        "look at VESTIBULE_BASE_URL, too, where the page is ours."),
    "registration_closed": Meaning(
        "Registration is for operators only.",
        "See VESTIBULE_REGISTRATION, and `vestibule users create`."),
    "unknown_email": Meaning(
        "Nobody who can sign in has this address.",
        "See `vestibule users list`."),
    "email_not_verified": Meaning(
        "The password was right, and the address is not verified.",
        "See VESTIBULE_EMAIL_VERIFICATION, `vestibule letters list` for what "
        "became of the letter, and `vestibule users verify`."),
    "proof_needed": Meaning(
        "The link was good, and nothing showed that whoever opened it had "
        "registered.",
        "The person sends the password of the registration, or a new one."),
    "deletion_pending": Meaning(
        "The password was right, and the deletion of the user is announced.",
        "See `vestibule users restore`."),
    "invalid_token": Meaning(
        "The link, the token or the code is not good for this, or not any "
        "more.",
        "The person asks for a new letter; `vestibule letters list` says "
        "what became of it, `vestibule users reset-link` helps at once."),
    "throttled": Meaning(
        "There were too many tries.",
        "It ends by itself. `vestibule throttle show` says when, by "
        "--address, --user or --everybody, and `vestibule throttle reset` "
        "ends it now."),
    "not_found": Meaning(
        "There is nothing at this path, or nothing that the caller may know "
        "of.", "See `vestibule routes`, and the path of VESTIBULE_BASE_URL."),
    "method_not_allowed": Meaning(
        "The path is answered, but not by this method.",
        "See `vestibule routes`."),
    "conflict": Meaning("What was to be changed has changed since.", CLIENT),
    "precondition_failed": Meaning(
        "The version in If-Match is not the one that is stored.",
        "The app reads the profile again, and then changes it."),
    "request_running": Meaning(
        "The first request under this Idempotency-Key is still running.",
        "The app sends it again a little later."),
    "unavailable": Meaning(
        "Something that Vestibule stands on did not answer.",
        "See the log at this instant, and GET /health/ready. Where no rule "
        "is named: VESTIBULE_BREACH_URL and VESTIBULE_PEPPER are what a new "
        "password may need."),
    "busy": Meaning(
        "More passwords were to be hashed than there are places for, so "
        "nothing was done and nothing was counted.",
        "A flood of logins, or a rush: it passes by itself. Known devices "
        "may take more of the places. See VESTIBULE_HASHING_PLACES, "
        "VESTIBULE_WORKERS and VESTIBULE_BCRYPT_COST if it is often so."),
    "client_left": Meaning(
        "The client had hung up before its password was hashed, so nothing "
        "was hashed. Only the address has used a try.",
        "A person who went away, or a proxy whose patience is shorter than "
        "the line: see VESTIBULE_HASHING_PLACES."),
    "schema": Meaning(
        "The database has the schema of another version.",
        "See `vestibule migrate`."),
    "pepper": Meaning(
        "A pepper is missing, or is not the right one.",
        "See VESTIBULE_PEPPER and VESTIBULE_PEPPER_FALLBACKS; the log says "
        "which one."),
    "misdirected_request": Meaning(
        "The Host is none that Vestibule answers for.",
        "See VESTIBULE_BASE_URL, and which Host your proxy sends."),
    "length_required": Meaning(
        "The body came without a Content-Length.", CLIENT),
    "body_too_large": Meaning("The body was larger than 64 KiB.", CLIENT),
    "unsupported_media_type": Meaning(
        "The body was neither JSON nor a urlencoded form in UTF-8.", CLIENT),
    "malformed_length": Meaning(
        "The Content-Length was no number.", CLIENT),
    "malformed_body": Meaning(
        "The body could not be read as what it said to be.", CLIENT),
    "incomplete_body": Meaning(
        "The body was shorter than its Content-Length.", CLIENT),
    "malformed_idempotency_key": Meaning(
        "The Idempotency-Key was no single word.", CLIENT),
    "internal_error": Meaning(
        "Vestibule made a mistake.",
        "The log has it under this request id: please report it."),
}
# By the rule, where it says more than the code.
OF_RULES: Dict[str, Meaning] = {
    DISABLED: Meaning("", "See `vestibule users enable`."),
    LEAVING: Meaning("", "See `vestibule users restore`."),
    IDLE: Meaning(
        "", "The person signs in again; see VESTIBULE_SESSION_IDLE."),
    EXPIRED: Meaning(
        "", "The person signs in again; see VESTIBULE_SESSION_LIFETIME."),
}
# By the reason in the detail of an event.
OF_REASONS: Dict[str, Meaning] = {
    "wrong_password": Meaning(
        "The password was not the user's.",
        f"`vestibule users reset-link {WHO}` prints a link for a new one."),
    "too_many_failures": Meaning(
        "Too many wrong passwords in a row: only a known device may try.",
        f"`vestibule throttle reset --user {WHO}` lets all devices try."),
    "unknown_email": Meaning(
        "Nobody has the address that was typed.",
        "Look for a mistyped address: `vestibule users list`."),
    "disabled": Meaning(
        "The user is disabled.",
        f"`vestibule users enable {WHO}` lets them in again."),
    "deletion_pending": Meaning(
        "The password was right, and the user is about to be deleted.",
        f"`vestibule users restore {WHO}` brings them back."),
    "email_not_verified": Meaning(
        "The password was right, and the address is not verified.",
        f"`vestibule users verify {WHO}` counts it as verified; `vestibule "
        "letters list` says what became of the letter."),
    "changed_meanwhile": Meaning(
        "The user was disabled, deleted or given another password while the "
        "password was checked.", f"See `vestibule users show {WHO}`."),
    "unusable_hash": Meaning(
        "There is no hash of a password that can be verified.",
        f"`vestibule users reset-link {WHO}` prints a link for a new "
        "password."),
    "unknown_pepper": Meaning(
        "The hash needs a pepper that is not set.",
        "See VESTIBULE_PEPPER_FALLBACKS."),
}
# By what happened, for events of refusals that have no reason.
OF_EVENTS: Dict[str, Meaning] = {
    "code.tried": Meaning(
        "A code of a letter was tried; each letter allows five tries.",
        "The link in the same letter is good for longer."),
    "password.refused": Meaning(
        "The password was not the user's.",
        f"`vestibule users reset-link {WHO}` prints a link for a new one."),
    "registration.refused": Meaning(
        "The address is somebody's, or is kept free for whoever left it."),
}
