"""What depmod(8) writes: which module needs which, and which is for what device.

Layer ``vm``. A package does not hold these files, since depmod makes them where
it is installed. Here they are made from what each module says of itself, so
that no depmod is needed (modules.dep(5)). Read ``initramfs.py`` next.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

Information = Mapping[str, list[str]]


def write(directory: str, modules: Mapping[str, Information]) -> None:
    """Writes modules.dep, modules.alias and modules.softdep into ``directory``.

    ``modules`` is what each module says (module_file.information), by its path below ``directory``.
    """
    needs = direct(modules)
    lines = (f"{path}: {' '.join(closure(path, needs))}".rstrip() for path in modules)
    _write(f"{directory}/modules.dep", lines)
    said_by = [(name_of(path), said) for path, said in modules.items()]
    aliases = (f"alias {alias} {name}" for name, said in said_by for alias in said.get("alias", ()))
    _write(f"{directory}/modules.alias", aliases)
    soft = (f"softdep {name} {text}" for name, said in said_by for text in said.get("softdep", ()))
    _write(f"{directory}/modules.softdep", soft)


def direct(modules: Mapping[str, Information]) -> dict[str, list[str]]:
    """Path of a module -> paths of those whose symbols it uses."""
    places = {name_of(path): path for path in modules}
    needs = {}
    for path, said in modules.items():
        names = [plain(name) for text in said.get("depends", ()) for name in text.split(",")]
        needs[path] = [places[name] for name in names if name in places]
    return needs


def closure(path: str, needs: Mapping[str, Iterable[str]]) -> list[str]:
    """All that ``path`` needs; what has to be loaded first stands last, as in modules.dep.

    A ring of modules, which depmod refuses too, is cut where it closes.
    """
    found: dict[str, None] = {}
    open_now = {path}
    way = [iter(needs.get(path, ()))]
    names = [path]
    while way:
        other = next(way[-1], None)
        if other is None:
            way.pop()
            done = names.pop()
            open_now.discard(done)
            if names:
                found[done] = None
        elif other not in found and other not in open_now:
            open_now.add(other)
            names.append(other)
            way.append(iter(needs.get(other, ())))
    return list(found)[::-1]


def name_of(path: str) -> str:
    """``kernel/drivers/char/hw_random/virtio-rng.ko.xz`` is the module ``virtio_rng``."""
    return plain(path.rpartition("/")[2].partition(".ko")[0])


def plain(name: str) -> str:
    """A module's name as the kernel has it: with ``_`` only."""
    return name.replace("-", "_")


def _write(path: str, lines: Iterable[str]) -> None:
    with open(path, "w", encoding="utf-8", errors="surrogateescape") as file:
        file.writelines(f"{line}\n" for line in lines)
