"""Makes what the services keep secret, in the folder SECRETS; what is there already stays.

`./up` runs it in a container of the image, as root: each seed is then readable by the services'
user alone, and the files of variables by the owner of the folder.
"""

import os
import secrets
from pathlib import Path

from turnwire_chassis.broker_access.nkey import public_key
from turnwire_chassis.broker_authorization.rights import User
from turnwire_chassis.broker_authorization.server_config import authorization
from turnwire_dev.instance import generated_secrets

_SERVICES_USER = 10001
_PEPPER, _SEAL, _VIEW = "TURNWIRE_KEY_PEPPER", "TURNWIRE_SEAL_KEY", "TURNWIRE_VIEW_KEY"
_TOLD_TO = {
    "gateway": (_PEPPER, _SEAL),
    "tool-runner": (_SEAL,),
    "store": (_VIEW,),
    "operator": (_PEPPER,),
}


def main(folder: Path) -> None:
    """Make them."""
    seeds = folder / "seeds"
    seeds.mkdir(parents=True, exist_ok=True)
    made = {user: generated_secrets.seed(seeds / f"{user}.seed") for user in User}
    keys = {user: public_key(seed) for user, seed in made.items()}
    (folder / "authorization.conf").write_text(authorization(keys), encoding="utf-8")
    if not (folder / "store.env").exists():
        values = {name: secrets.token_hex(32) for name in (_PEPPER, _SEAL, _VIEW)}
        for service, names in _TOLD_TO.items():
            lines = [f"{name}={values[name]}\n" for name in names]
            (folder / f"{service}.env").write_text("".join(lines), encoding="ascii")
    _give_away(folder, seeds)


def _give_away(folder: Path, seeds: Path) -> None:
    owner = folder.stat()
    for file in folder.glob("*.env"):
        file.chmod(0o600)
        if os.geteuid() == 0:
            os.chown(file, owner.st_uid, owner.st_gid)
    for seed in seeds.iterdir():
        seed.chmod(0o400)
        if os.geteuid() == 0:
            os.chown(seed, _SERVICES_USER, _SERVICES_USER)


if __name__ == "__main__":
    main(Path(os.environ["SECRETS"]))
