"""What would be made for a pod's volumes, and what its containers would mount: no root, nothing made."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from minirun.errors import InvalidInput, NotFound, Unsupported
from minirun.isolation.mounts.options import VOLUME, parse
from minirun.pod import volumes
from minirun.pod.downward import Context, Node
from minirun.pod.manifest.types import (
    ClusterTrustBundleProjection,
    ConfigMap,
    ConfigMapProjection,
    ConfigMapVolumeSource,
    Container,
    DownwardAPIProjection,
    DownwardAPIVolumeFile,
    DownwardAPIVolumeSource,
    EmptyDirVolumeSource,
    HostPathVolumeSource,
    ImageVolumeSource,
    KeyToPath,
    ObjectFieldSelector,
    ObjectMeta,
    PersistentVolumeClaimVolumeSource,
    Pod,
    PodSecurityContext,
    PodSpec,
    ProjectedVolumeSource,
    ResourceFieldSelector,
    Secret,
    SecretProjection,
    SecretVolumeSource,
    SecurityContext,
    ServiceAccountTokenProjection,
    Volume,
    VolumeMount,
    VolumeProjection,
)
from minirun.pod.volumes import Places, VolumePlan
from minirun.pod.volumes.contents import File, files_of
from minirun.pod.volumes.directories import Owner
from minirun.spec import Mount

PLACES = Places(data="/lib/pods/u", runtime="/run/pods/u", root="/lib")
SETTINGS = ConfigMap(
    metadata=ObjectMeta(name="settings"),
    data={"a.conf": "alpha\n", "b.conf": "beta"},
    binaryData={"logo": base64.b64encode(b"\x89PNG").decode()},
)
LOGIN = Secret(metadata=ObjectMeta(name="login"), stringData={"password": "hunter2"})


def context(*wanted: Volume, **spec: Any) -> Context:
    """A pod with these volumes, and the objects above."""
    pod = Pod(
        metadata=ObjectMeta(name="web", labels={"app": "web"}),
        spec=PodSpec(containers=(Container(name="main"),), volumes=wanted, **spec),
    )
    return Context(
        pod=pod,
        config_maps={"settings": SETTINGS},
        secrets={"login": LOGIN},
        node=Node(capacity={"memory": "1Gi"}),
    )


def plan(*wanted: Volume, places: Places = PLACES, **spec: Any) -> VolumePlan:
    """Their plan; an image has as many layers as its name has letters."""
    return volumes.plan(
        context(*wanted, **spec), places, lambda name: tuple(f"/lib/layers/{c}" for c in name)
    )


def calls(made: VolumePlan) -> list[str]:
    """The plan's calls in words, without the directories that hold all volumes."""
    return [str(call) for step in made.steps for call in step.calls][2:]


def arguments(made: VolumePlan, number: int) -> tuple[Any, ...]:
    """What the call of a step is given; 0 is the first of a volume's own."""
    return made.steps[2 + number].calls[0].args


def test_no_volumes_no_steps() -> None:
    """A pod without them costs nothing."""
    assert plan().steps == ()


def test_steps_tell_why() -> None:
    """Each has a reason, is the host's, and keeps what it writes to itself."""
    made = plan(
        Volume(name="a"), Volume(name="s", secret=SecretVolumeSource(secretName="login")),
        Volume(name="i", image=ImageVolumeSource(reference="xy")),
    )  # fmt: skip
    for step in made.steps:
        assert step.why
        assert step.side == "host"
        assert "hunter2" not in f"{step.title} {step.calls}"


# --- emptyDir ----------------------------------------------------------------


def test_empty_dir() -> None:
    """On the disk, for everybody; a volume of which nothing is said is one."""
    for volume in (Volume(name="a", emptyDir=EmptyDirVolumeSource()), Volume(name="a")):
        made = plan(volume)
        assert made.volumes["a"].path == "/lib/pods/u/volumes/a"
        assert calls(made) == ['mkdir("/lib/pods/u/volumes/a", 0o777)']


@pytest.mark.parametrize(
    ("limit", "memory", "size"),
    [(None, 0, ""), ("64Mi", 0, "67108864"), ("64Mi", 1 << 20, "1048576"), (None, 9, "9"), ("0", 9, "9")],
)
def test_empty_dir_in_memory(limit: str | None, memory: int, size: str) -> None:
    """As large as its limit, and as the pod may be, whichever is less."""
    source = EmptyDirVolumeSource(medium="Memory", sizeLimit=limit)
    places = Places(data="/d", runtime="/r", root="/lib", memory=memory)
    made = plan(Volume(name="a", emptyDir=source), places=places)
    data = "mode=777,uid=0,gid=0" + (f",size={size}" if size else "") + ",noswap"
    assert calls(made) == [f'mount("tmpfs", "/r/volumes/a", "tmpfs", 0, "{data}")']
    assert made.volumes["a"].size_limit == 0  # the kernel keeps it


def test_size_limit_on_the_disk() -> None:
    """Somebody has to look."""
    made = plan(Volume(name="a", emptyDir=EmptyDirVolumeSource(sizeLimit="1Ki")), Volume(name="b"))
    assert (made.volumes["a"].size_limit, made.volumes["b"].size_limit) == (1024, 0)
    assert volumes.is_limited(made)
    assert not volumes.is_limited(plan(Volume(name="b")))


def test_empty_dir_refused() -> None:
    """A medium that is not here, a limit that is no quantity."""
    with pytest.raises(Unsupported, match=r"volume a: .*HugePages"):
        plan(Volume(name="a", emptyDir=EmptyDirVolumeSource(medium="HugePages")))
    with pytest.raises(InvalidInput, match=r"volume a: .*sizeLimit"):
        plan(Volume(name="a", emptyDir=EmptyDirVolumeSource(sizeLimit="big")))


def test_owners() -> None:
    """The pod's root, whatever id of the host's that is; fsGroup is the group, of new files as well."""
    mapped = Places(data="/d", runtime="/r", root="/lib", first_id=65536)
    group = PodSecurityContext(fsGroup=2000)
    empty = Volume(name="a")
    assert arguments(plan(empty), 0)[1] == Owner()
    assert arguments(plan(empty, places=mapped), 0)[1] == Owner(uid=65536, gid=65536)
    shared = arguments(plan(empty, securityContext=group), 0)[1]
    assert shared == Owner(gid=2000, shared=True)
    assert shared.mode == 0o2777
    both = arguments(plan(empty, places=mapped, securityContext=group), 0)[1]
    assert both == Owner(uid=65536, gid=67536, shared=True)


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", "a.new", "a\0"])
def test_names_that_would_lead_elsewhere(name: str) -> None:
    """Of volumes and containers: they become names of directories, and root makes those."""
    with pytest.raises(InvalidInput, match="cannot be a volume's or a container's name"):
        plan(Volume(name=name))
    with pytest.raises(InvalidInput, match="cannot be a volume's or a container's name"):
        PLACES.subpath(name, 0)


# --- files -------------------------------------------------------------------


def files(volume: Volume) -> dict[str, tuple[str, int]]:
    """Its files: text and mode."""
    found = files_of(volume, context(volume))
    return {path: (file.content.decode("latin-1"), file.mode) for path, file in found.items()}


def test_config_map() -> None:
    """A file for each key, 0644."""
    source = ConfigMapVolumeSource(name="settings")
    made = plan(Volume(name="v", configMap=source))
    assert calls(made) == [
        'mkdir("/lib/pods/u/volumes/v", 0o777)',
        'rename("/lib/pods/u/volumes/v/..data_tmp", "/lib/pods/u/volumes/v/..data": 3 files)',
    ]
    assert made.volumes["v"].readonly
    assert files(Volume(name="v", configMap=source)) == {
        "a.conf": ("alpha\n", 0o644),
        "b.conf": ("beta", 0o644),
        "logo": ("\x89PNG", 0o644),
    }


def test_items_and_modes() -> None:
    """Only the keys that are named, where and as they are wanted."""
    source = ConfigMapVolumeSource(
        name="settings",
        defaultMode=0o400,
        items=(KeyToPath(key="a.conf", path="conf/main.conf"), KeyToPath(key="logo", path="l", mode=0)),
    )
    found = files(Volume(name="v", configMap=source))
    assert found == {"conf/main.conf": ("alpha\n", 0o400), "l": ("\x89PNG", 0)}


def test_secrets_are_in_memory() -> None:
    """No disk sees them."""
    made = plan(Volume(name="v", secret=SecretVolumeSource(secretName="login", defaultMode=0o400)))
    assert made.volumes["v"].path == "/run/pods/u/volumes/v"
    assert calls(made)[0].startswith('mount("tmpfs", "/run/pods/u/volumes/v", "tmpfs"')
    assert arguments(made, 1)[1] == {"password": File(content=b"hunter2", mode=0o400)}


def test_optional() -> None:
    """An object or a key that is not there, with it and without."""
    item = (KeyToPath(key="none", path="x"), KeyToPath(key="a.conf", path="y"))
    for optional, source in (
        ({}, ConfigMapVolumeSource(name="nobody", optional=True)),
        ({}, ConfigMapVolumeSource(name="nobody", optional=True, items=item)),
        ({"y": ("alpha\n", 0o644)}, ConfigMapVolumeSource(name="settings", optional=True, items=item)),
    ):
        assert files(Volume(name="v", configMap=source)) == optional
    for wrong in (
        Volume(name="v", configMap=ConfigMapVolumeSource(name="nobody")),
        Volume(name="v", configMap=ConfigMapVolumeSource(name="settings", items=item)),
        Volume(name="v", secret=SecretVolumeSource(secretName="settings")),
    ):
        with pytest.raises(NotFound, match=r"is not there|no key 'none'"):
            plan(wrong)


def test_downward_api() -> None:
    """Fields and resources, each a file."""
    source = DownwardAPIVolumeSource(
        defaultMode=0o440,
        items=(
            DownwardAPIVolumeFile(path="labels", fieldRef=ObjectFieldSelector(fieldPath="metadata.labels")),
            DownwardAPIVolumeFile(
                path="mem",
                mode=0o600,
                resourceFieldRef=ResourceFieldSelector(
                    resource="limits.memory", containerName="main", divisor="1Mi"
                ),
            ),
        ),
    )
    volume = Volume(name="v", downwardAPI=source)
    assert files(volume) == {"labels": ('app="web"', 0o440), "mem": ("1024", 0o600)}
    assert plan(volume).volumes["v"].path == "/run/pods/u/volumes/v"


def test_projected() -> None:
    """All sources in one directory; the later one wins."""
    label = DownwardAPIVolumeFile(path="n", fieldRef=ObjectFieldSelector(fieldPath="metadata.name"))
    source = ProjectedVolumeSource(
        defaultMode=0o600,
        sources=(
            VolumeProjection(configMap=ConfigMapProjection(name="settings")),
            VolumeProjection(
                secret=SecretProjection(name="login", items=(KeyToPath(key="password", path="a.conf"),))
            ),
            VolumeProjection(secret=SecretProjection(name="nobody", optional=True)),
            VolumeProjection(downwardAPI=DownwardAPIProjection(items=(label,))),
        ),
    )
    volume = Volume(name="v", projected=source)
    assert files(volume) == {
        "a.conf": ("hunter2", 0o600),
        "b.conf": ("beta", 0o600),
        "logo": ("\x89PNG", 0o600),
        "n": ("web", 0o600),
    }
    assert plan(volume).volumes["v"].path == "/run/pods/u/volumes/v"


@pytest.mark.parametrize(
    "source",
    [
        VolumeProjection(serviceAccountToken=ServiceAccountTokenProjection(path="token")),
        VolumeProjection(clusterTrustBundle=ClusterTrustBundleProjection(path="ca")),
        VolumeProjection(podCertificate={"path": "x"}),
    ],
)
def test_what_only_an_api_server_issues(source: VolumeProjection) -> None:
    """Refused by name, with its place."""
    kind = next(kind for kind in source.__fields__ if getattr(source, kind) is not None)
    with pytest.raises(Unsupported, match=rf"volume v: sources\[0\]: {kind}"):
        plan(Volume(name="v", projected=ProjectedVolumeSource(sources=(source,))))


@pytest.mark.parametrize(
    "path",
    ["/etc/x", "../x", "a/../b", "..", "..x", "..data", "a//b", "a/", "./a", "a\0b", "", "x" * 256, "y/z"],
)
def test_a_file_stays_in_its_volume(path: str) -> None:
    """And does not lie where the links are, or below another file."""
    items = (KeyToPath(key="a.conf", path=path), KeyToPath(key="b.conf", path="y"))
    source = ConfigMapVolumeSource(name="settings", items=items)
    with pytest.raises(InvalidInput, match="volume v: a file cannot be at"):
        plan(Volume(name="v", configMap=source))


def test_a_mode_that_is_none() -> None:
    """Such as 644 where 0644 was meant."""
    with pytest.raises(InvalidInput, match=r"the mode of .* cannot be 644"):
        plan(Volume(name="v", configMap=ConfigMapVolumeSource(name="settings", defaultMode=644)))


# --- of the host's, of minirun's, of an image --------------------------------


def test_host_path() -> None:
    """What the host has there, looked at first."""
    made = plan(Volume(name="v", hostPath=HostPathVolumeSource(path="/srv/x", type="Directory")))
    assert made.volumes["v"].path == "/srv/x"
    assert not made.volumes["v"].readonly
    assert calls(made) == ['stat("/srv/x")']


@pytest.mark.parametrize(
    ("path", "kind"), [("srv", ""), ("/a/../b", ""), ("/a\0", ""), ("", ""), ("/a", "Dir")]
)
def test_host_path_refused(path: str, kind: str) -> None:
    """Before anything is looked at."""
    with pytest.raises(InvalidInput, match=r"volume v: hostPath\.(path|type)"):
        plan(Volume(name="v", hostPath=HostPathVolumeSource(path=path, type=kind)))


def test_claim() -> None:
    """A volume of `minirun volume`; fsGroup changes what is in it."""
    claim = PersistentVolumeClaimVolumeSource(claimName="db-data", readOnly=True)
    volume = Volume(name="v", persistentVolumeClaim=claim)
    made = plan(volume)
    assert made.volumes["v"].path == "/lib/volumes/db-data/_data"
    assert made.volumes["v"].readonly
    assert calls(made) == ['mkdir("/lib/volumes/db-data/_data", 0o755)']
    grouped = plan(
        volume, securityContext=PodSecurityContext(fsGroup=7, fsGroupChangePolicy="OnRootMismatch")
    )
    assert calls(grouped)[1] == 'chown("/lib/volumes/db-data/_data" with all below, -1, 7)'
    assert arguments(grouped, 1)[1:] == (7, True)
    with pytest.raises(InvalidInput, match="fsGroupChangePolicy"):
        plan(volume, securityContext=PodSecurityContext(fsGroup=7, fsGroupChangePolicy="Never"))


@pytest.mark.parametrize("name", ["", "..", ".x", "-x", "a/b", "../x", "A", "a b", "a" * 254])
def test_a_claim_is_a_name(name: str) -> None:
    """It becomes a directory's."""
    with pytest.raises(InvalidInput, match="claimName"):
        plan(Volume(name="v", persistentVolumeClaim=PersistentVolumeClaimVolumeSource(claimName=name)))


def test_image() -> None:
    """Its layers as one, above an empty one, since overlayfs wants two; nothing to write to."""
    for reference in ("x", "xyz"):
        made = plan(Volume(name="v", image=ImageVolumeSource(reference=reference)))
        assert made.volumes["v"].path == "/run/pods/u/volumes/v"
        assert made.volumes["v"].readonly
        layers = tuple(f"/lib/layers/{c}" for c in reference)
        assert arguments(made, 1) == ("/run/pods/u/volumes/v", ("/lib/pods/u/volumes/v.below", *layers))
    with pytest.raises(InvalidInput, match=r"image\.reference"):
        plan(Volume(name="v", image=ImageVolumeSource()))


def test_image_that_is_not_here() -> None:
    """The store says so."""
    with pytest.raises(NotFound, match="nothing-here"):
        volumes.plan(context(Volume(name="v", image=ImageVolumeSource(reference="nothing-here"))), PLACES)


REFUSED = [kind for kind in Volume.__fields__ if "dict[" in Volume.__annotations__[kind]]


@pytest.mark.parametrize("kind", REFUSED)
def test_kinds_of_a_cluster(kind: str) -> None:
    """Each is refused by its name."""
    with pytest.raises(Unsupported, match=f"volume v: {kind}"):
        plan(Volume(**{"name": "v", kind: {}}))


def test_the_list_of_refused_kinds_is_not_empty() -> None:
    """The test above can fail."""
    assert {"nfs", "csi", "ephemeral"} <= set(REFUSED)


def test_two_sources() -> None:
    """One volume has one content."""
    both = Volume(name="v", emptyDir=EmptyDirVolumeSource(), hostPath=HostPathVolumeSource(path="/x"))
    with pytest.raises(InvalidInput, match="2 sources: emptyDir, hostPath"):
        plan(both)


# --- volumeMounts ------------------------------------------------------------

VOLUMES = (
    Volume(name="empty"),
    Volume(name="host", hostPath=HostPathVolumeSource(path="/srv/x")),
    Volume(name="settings", configMap=ConfigMapVolumeSource(name="settings")),
    Volume(name="claim", persistentVolumeClaim=PersistentVolumeClaimVolumeSource(claimName="db")),
    Volume(name="image", image=ImageVolumeSource(reference="xy")),
)


def mounted(
    *wanted: VolumeMount, privileged: bool = False, first_id: int = 0, **variables: str
) -> tuple[Mount, ...]:
    """The mounts of a container that wants these of the volumes above."""
    places = Places(data="/d", runtime="/r", root="/lib", first_id=first_id)
    container = Container(
        name="main", volumeMounts=wanted, securityContext=SecurityContext(privileged=privileged)
    )
    found = volumes.mounts(container, plan(*VOLUMES, places=places), variables)
    for mount in found:
        parse(mount)  # the container layer takes it
    return found


def one(name: str, path: str = "/m", *, privileged: bool = False, first_id: int = 0, **more: Any) -> Mount:
    """One of them."""
    wanted = VolumeMount(name=name, mountPath=path, **more)
    (found,) = mounted(wanted, privileged=privileged, first_id=first_id, POD="web-0", EMPTY="")
    return found


@pytest.mark.parametrize(
    ("name", "more", "source", "words"),
    [
        ("empty", {}, "/d/volumes/empty", "rprivate rw"),
        ("empty", {"readOnly": True}, "/d/volumes/empty", "rprivate ro"),
        ("empty", {"readOnly": True, "recursiveReadOnly": "Enabled"}, "/d/volumes/empty", "rprivate rro"),
        ("host", {"readOnly": True, "recursiveReadOnly": "IfPossible"}, "/srv/x", "rprivate rro"),
        ("host", {"readOnly": True, "recursiveReadOnly": "Disabled"}, "/srv/x", "rprivate ro"),
        ("host", {"mountPropagation": "None"}, "/srv/x", "rprivate rw"),
        ("host", {"mountPropagation": "HostToContainer"}, "/srv/x", "rslave rw"),
        ("settings", {}, "/d/volumes/settings", "rprivate ro"),
        ("claim", {}, "/lib/volumes/db/_data", "rprivate rw"),
        ("image", {}, "/r/volumes/image", "rprivate ro noexec"),
        ("empty", {"subPath": "a/b"}, "/r/subpaths/main/0", "rprivate rw"),
        ("image", {"subPath": "a"}, "/r/subpaths/main/0", "rprivate ro noexec"),
        ("empty", {"subPathExpr": "$(POD)"}, "/r/subpaths/main/0", "rprivate rw"),
    ],
)
def test_mounts(name: str, more: dict[str, Any], source: str, words: str) -> None:
    """A bind of the volume, or of a part of it, with the words of mount(8)."""
    expected = Mount(destination="/m", type="bind", source=source, options=("rbind", *words.split()))
    assert one(name, **more) == expected


def test_bidirectional() -> None:
    """Only for a privileged container, since it changes the host."""
    found = one("host", mountPropagation="Bidirectional", privileged=True)
    assert found.options == ("rbind", "rshared", "rw")
    with pytest.raises(InvalidInput, match="Bidirectional needs a privileged container"):
        one("host", mountPropagation="Bidirectional")


def test_parents_before_children() -> None:
    """Whatever the order in the manifest; and a part is found by its number there."""
    found = mounted(
        VolumeMount(name="empty", mountPath="/a/b/c", subPath="x"),
        VolumeMount(name="host", mountPath="/a"),
        VolumeMount(name="claim", mountPath="/a/b/", subPath="y"),
        VolumeMount(name="settings", mountPath="relative"),
    )
    assert [(mount.destination, mount.source) for mount in found] == [
        ("/a", "/srv/x"),
        ("/relative", "/d/volumes/settings"),
        ("/a/b", "/r/subpaths/main/2"),
        ("/a/b/c", "/r/subpaths/main/0"),
    ]


@pytest.mark.parametrize(
    ("name", "more", "why"),
    [
        ("nobody", {}, "no volume of that name"),
        ("empty", {"path": "/"}, "mountPath cannot be '/'"),
        ("empty", {"path": "/a/.."}, "mountPath cannot be"),
        ("empty", {"path": "/a:b"}, "mountPath cannot be"),
        ("empty", {"mountPropagation": "Shared"}, "mountPropagation cannot be 'Shared'"),
        ("empty", {"readOnly": True, "recursiveReadOnly": "Yes"}, "recursiveReadOnly cannot be 'Yes'"),
        ("empty", {"recursiveReadOnly": "Enabled"}, "is for a mount that is read-only"),
        (
            "empty",
            {"readOnly": True, "recursiveReadOnly": "Enabled", "mountPropagation": "HostToContainer"},
            "contradict",
        ),
        ("empty", {"subPath": "/etc"}, "subPath cannot be '/etc'"),
        ("empty", {"subPath": "a/../../b"}, "subPath cannot be"),
        ("empty", {"subPath": "a", "subPathExpr": "b"}, "both subPath and subPathExpr"),
        ("empty", {"subPathExpr": "$(NOBODY)"}, r"uses \$\(NOBODY\)"),
        ("empty", {"subPathExpr": "$(EMPTY)"}, "subPath cannot be ''"),
        ("empty", {"subPathExpr": "../$(POD)"}, "subPath cannot be '../web-0'"),
    ],
)
def test_mounts_refused(name: str, more: dict[str, Any], why: str) -> None:
    """With the container, the volume and the path."""
    with pytest.raises(InvalidInput, match=f"container main: volumeMount {name} at .*{why}"):
        one(name, **{"path": "/m", **more})


def test_in_a_user_namespace() -> None:
    """What is the pod's alone has the right owners on the disk; the rest is seen through a map."""
    assert one("empty", first_id=65536).options == ("rbind", "rprivate", "rw")
    assert one("settings", first_id=65536).options == ("rbind", "rprivate", "ro")
    assert one("claim", first_id=65536).options == ("rbind", "rprivate", "rw", VOLUME)
    for mapped in (one("claim", first_id=65536, subPath="a"), one("host", first_id=65536)):
        assert (mapped.source, mapped.options) == ("/r/subpaths/main/0", ("rbind", "rprivate", "rw"))
    image = one("image", first_id=65536)
    assert (image.type, image.source) == ("overlay", "overlay")
    assert image.options[-2:] == ("lowerdir=/lib/layers/y:/lib/layers/x:/d/volumes/image.below", "userxattr")
    with pytest.raises(Unsupported, match="a part of an image"):
        one("image", first_id=65536, subPath="a")
