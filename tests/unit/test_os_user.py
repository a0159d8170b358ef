import os
import pwd

import pytest

from moonmind import os_user


@pytest.mark.parametrize("entry", pwd.getpwall()[:5], ids=lambda entry: entry.pw_name)
def test_a_user_is_named_as_the_machine_names_it(entry: pwd.struct_passwd) -> None:
    assert pwd.getpwnam(os_user.name_of(entry.pw_uid)).pw_uid == entry.pw_uid


@pytest.mark.parametrize("uid", [1234567, 2**31 + 7, 2**32 - 2])
def test_a_user_without_a_name_is_named_by_its_number(uid: int) -> None:
    assert os_user.name_of(uid) == f"uid {uid}"


def test_this_process_has_the_name_of_its_user() -> None:
    assert os_user.own_name() == os_user.name_of(os.geteuid())
