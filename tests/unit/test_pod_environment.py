"""The environment of a container: from envFrom and env to variables."""

from __future__ import annotations

import base64
import os

import pytest

from minirun.pod.downward import Context, Node
from minirun.pod.environment import CreateContainerConfigError, environment
from minirun.pod.manifest.types import (
    ConfigMap,
    ConfigMapEnvSource,
    ConfigMapKeySelector,
    Container,
    EnvFromSource,
    EnvVar,
    EnvVarSource,
    FileKeySelector,
    ObjectFieldSelector,
    ObjectMeta,
    Pod,
    PodSpec,
    ResourceFieldSelector,
    ResourceRequirements,
    Secret,
    SecretEnvSource,
    SecretKeySelector,
)


def coded(value: bytes) -> str:
    """Base64, as `kubectl get secret -o yaml` has it."""
    return base64.b64encode(value).decode()


SETTINGS = ConfigMap(
    metadata=ObjectMeta(name="settings"),
    data={"COLOR": "blue", "SIZE": "$(COLOR)", "app.properties": "x=1"},
    binaryData={"picture": coded(b"\x89PNG")},
)
MORE = ConfigMap(metadata=ObjectMeta(name="more"), data={"COLOR": "red", "SHAPE": "round"})
LOGIN = Secret(
    metadata=ObjectMeta(name="login"),
    data={"user": coded(b"root"), "password": coded(b"s3cr\xe9t\n"), "wrong": coded(b"a\0b")},
    stringData={"user": "admin"},
)


def result(*env: EnvVar, env_from: tuple[EnvFromSource, ...] = (), **more: object) -> dict[str, str]:
    """The environment of a container with these."""
    container = Container(name="main", env=env, envFrom=env_from, **more)
    pod = Pod(metadata=ObjectMeta(name="web", labels={"app": "x"}), spec=PodSpec(containers=(container,)))
    return environment(
        container,
        Context(
            pod=pod,
            config_maps={"settings": SETTINGS, "more": MORE},
            secrets={"login": LOGIN},
            node=Node(name="machine", capacity={"memory": "2Gi"}),
            addresses=("10.88.0.2",),
        ),
    )


def config_map(name: str, prefix: str = "", optional: bool | None = None) -> EnvFromSource:
    """A whole ConfigMap."""
    return EnvFromSource(prefix=prefix, configMapRef=ConfigMapEnvSource(name=name, optional=optional))


def secret(name: str, prefix: str = "", optional: bool | None = None) -> EnvFromSource:
    """A whole Secret."""
    return EnvFromSource(prefix=prefix, secretRef=SecretEnvSource(name=name, optional=optional))


def one_key(kind: str, name: str, key: str, optional: bool | None = None) -> EnvVar:
    """The variable X from one key."""
    if kind == "configMap":
        chosen = ConfigMapKeySelector(name=name, key=key, optional=optional)
        return EnvVar(name="X", valueFrom=EnvVarSource(configMapKeyRef=chosen))
    wanted = SecretKeySelector(name=name, key=key, optional=optional)
    return EnvVar(name="X", valueFrom=EnvVarSource(secretKeyRef=wanted))


def test_values_use_what_came_before() -> None:
    """And only that: a later one, or one that is nowhere, stays as it is written."""
    found = result(
        EnvVar(name="A", value="1"),
        EnvVar(name="B", value="$(A)2"),
        EnvVar(name="C", value="$(B)3$(D)$$(A)"),
        EnvVar(name="D", value="4"),
        EnvVar(name="NOTHING"),
        EnvVar(name="A", value="$(A)again"),
    )
    expected = {"A": "1again", "B": "12", "C": "123$(D)$(A)", "D": "4", "NOTHING": ""}
    assert found == expected


def test_env_from_takes_every_key() -> None:
    """With dots and all, and without what is binary; values are not looked through."""
    found = result(env_from=(config_map("settings"),))
    assert found == {"COLOR": "blue", "SIZE": "$(COLOR)", "app.properties": "x=1"}


def test_the_later_wins() -> None:
    """A later envFrom over an earlier one, env over both; env may use what envFrom brought."""
    both = (config_map("settings"), config_map("more"))
    assert result(env_from=both)["COLOR"] == "red"
    assert result(env_from=both[::-1])["COLOR"] == "blue"
    found = result(EnvVar(name="COLOR", value="dark $(COLOR)"), env_from=both)
    assert found["COLOR"] == "dark red"
    assert found["SHAPE"] == "round"


def test_prefix() -> None:
    """Before each name; two sources with different ones do not meet."""
    found = result(env_from=(config_map("more", "A_"), config_map("more", "B_")))
    assert found == {"A_COLOR": "red", "A_SHAPE": "round", "B_COLOR": "red", "B_SHAPE": "round"}


def test_secrets_are_decoded() -> None:
    """stringData wins over data; bytes that are no UTF-8 reach the program as they are."""
    found = result(
        one_key("secret", "login", "password"),
        EnvVar(name="U", valueFrom=EnvVarSource(secretKeyRef=SecretKeySelector(name="login", key="user"))),
    )
    assert os.fsencode(found["X"]) == b"s3cr\xe9t\n"
    assert found["U"] == "admin"


def test_fields_and_resources() -> None:
    """The container that asks is the one that is meant."""
    memory = ResourceFieldSelector(resource="limits.memory", divisor="1Mi")
    found = result(
        EnvVar(name="NAME", valueFrom=EnvVarSource(fieldRef=ObjectFieldSelector(fieldPath="metadata.name"))),
        EnvVar(name="IP", valueFrom=EnvVarSource(fieldRef=ObjectFieldSelector(fieldPath="status.podIP"))),
        EnvVar(name="MEM", valueFrom=EnvVarSource(resourceFieldRef=memory)),
        EnvVar(name="URL", value="http://$(IP):$(MEM)/$(NAME)"),
        resources=ResourceRequirements(limits={"memory": "128Mi"}),
    )
    assert found["URL"] == "http://10.88.0.2:128/web"


@pytest.mark.parametrize("kind", ["configMap", "secret"])
@pytest.mark.parametrize("name", ["settings", "login", "nobody"])
def test_optional_and_missing(kind: str, name: str) -> None:
    """No variable at all: not an empty one."""
    assert result(one_key(kind, name, "missing", optional=True)) == {}
    with pytest.raises(CreateContainerConfigError, match=r"container main: env X: .*(no key|not there)"):
        result(one_key(kind, name, "missing"))


def test_optional_and_missing_as_a_whole() -> None:
    """Passed over; else the container has to wait."""
    assert result(env_from=(config_map("nobody", optional=True), secret("nobody", optional=True))) == {}
    for source in (config_map("nobody"), secret("nobody"), secret("settings")):
        with pytest.raises(CreateContainerConfigError, match=r"envFrom\[1\]: .* is not there"):
            result(env_from=(config_map("more"), source))


def test_what_cannot_be_a_variable() -> None:
    """Told with the container and the variable."""
    wrong = {
        one_key("secret", "login", "wrong"): "null byte",
        one_key("configMap", "settings", "picture"): "no key 'picture'",
        EnvVar(name="A=B", value="1"): "cannot be a variable's name",
        EnvVar(name="X", valueFrom=EnvVarSource()): "no source",
        EnvVar(
            name="X", valueFrom=EnvVarSource(fieldRef=ObjectFieldSelector(fieldPath="metadata.labels"))
        ): "fieldRef",
        EnvVar(
            name="X",
            valueFrom=EnvVarSource(fileKeyRef=FileKeySelector(volumeName="v", path="p", key="k")),
        ): "fileKeyRef",
    }
    for variable, why in wrong.items():
        with pytest.raises(CreateContainerConfigError, match=f"(?s)container main: env .*{why}"):
            result(variable)


def test_base64_that_is_none() -> None:
    """Told with the key; never a guess at what was meant."""
    broken = Secret(metadata=ObjectMeta(name="login"), data={"user": "not base64!"})
    container = Container(name="main", env=(one_key("secret", "login", "user"),))
    pod = Pod(spec=PodSpec(containers=(container,)))
    with pytest.raises(CreateContainerConfigError, match="'user' is no base64"):
        environment(container, Context(pod=pod, secrets={"login": broken}))
