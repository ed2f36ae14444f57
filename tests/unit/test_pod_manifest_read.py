"""From YAML text to typed pods: lines, types, suggestions, documents."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from minirun.errors import InvalidInput, MinirunError
from minirun.pod.manifest import nodes
from minirun.pod.manifest.problems import InvalidManifest
from minirun.pod.manifest.read import KINDS, Documents, read
from minirun.pod.manifest.types import Container, EmptyDirVolumeSource, HTTPGetAction, Pod, PodSpec

POD = """\
apiVersion: v1
kind: Pod
metadata: {name: web}
spec:
  containers:
  - name: main
    image: busybox
"""


def problems(text: str) -> list[str]:
    """The errors of a manifest, as a user reads them."""
    with pytest.raises(InvalidManifest) as caught:
        read(text, "pod.yaml")
    return [str(one) for one in caught.value.problems]


def main_container(text: str) -> Container:
    """The first container of a pod with more lines in it."""
    return read(POD + text, "pod.yaml").pods[0].spec.containers[0]


def test_a_pod_comes_out_typed() -> None:
    """Only what was said is set; the rest is as types.py has it."""
    found = read(POD, "pod.yaml")
    assert found.pods[0].metadata.name == "web"
    assert found.pods[0].spec == PodSpec(containers=(Container(name="main", image="busybox"),))
    assert (found.notes, found.warnings, found.config_maps) == ((), (), ())


def test_every_mistake_is_said_at_once_in_the_order_of_the_file() -> None:
    """The error a user sees has each path, each reason and each line."""
    text = POD + "    tTy: true\n    ports:\n    - containerPort: eighty\n  hostPid: true\n"
    with pytest.raises(InvalidManifest) as caught:
        read(text, "pod.yaml")
    assert str(caught.value).splitlines()[:4] == [
        "pod.yaml is not a valid manifest: 3 errors",
        "  why: spec.containers[0].tTy: no such field in a Container: did you mean tty? (line 8)",
        "       spec.containers[0].ports[0].containerPort: expected a whole number, got 'eighty' (line 10)",
        "       spec.hostPid: no such field in a PodSpec: did you mean hostPID? (line 11)",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("    stdin: 'true'\n", "spec.containers[0].stdin: expected true or false, got 'true' (line 8)"),
        ("    command: true\n", "spec.containers[0].command: expected a list, got true (line 8)"),
        (
            "    command: [sleep, 60]\n",
            'command[1]: expected text, got 60: write "60", with the quotes (line 8)',
        ),
        (
            "    command: [sleep, null]\n",
            "spec.containers[0].command[1]: expected text, got nothing (line 8)",
        ),
        ("    resources: [1]\n", "spec.containers[0].resources: expected a map, got a list (line 8)"),
        (
            "    resources: {limits: {cpu: lots}}\n",
            "limits[cpu]: expected a quantity such as 500m, 2 or 64Mi, ",
        ),
        (
            "    resources: {limits: {cpu: [1]}}\n",
            "limits[cpu]: expected a quantity such as 500m, 2 or 64Mi, ",
        ),
        (
            "    resources: {limits: {cpu: yes}}\n",
            "limits[cpu]: expected a quantity such as 500m, 2 or 64Mi, ",
        ),
        ("    image: other\n", "spec.containers[0].image: stands here a second time (line 8)"),
        ("    workingDir: y\n", 'expected text, got y: write "y", with the quotes (line 8)'),
        (
            "  activeDeadlineSeconds: 1.5\n",
            "spec.activeDeadlineSeconds: expected a whole number, got 1.5 (line 8)",
        ),
        ("  activeDeadlineSeconds: 99999999999999999999\n", "99999999999999999999 is more than 64 bits hold"),
        (
            "  image: busybox\n",
            "spec.image: no such field in a PodSpec: it belongs to a Container or a Volume",
        ),
        ("  zzz: 1\n", "spec.zzz: no such field in a PodSpec (line 8)"),
        ("    livenessProbe: {httpGet: {path: /}}\n", "livenessProbe.httpGet.port: is required (line 8)"),
        ("    livenessProbe: {httpGet: {port: [1]}}\n", "expected a whole number or a name, got a list"),
        ("  containers: []\n", "spec.containers: stands here a second time (line 8)"),
    ],
)
def test_what_is_wrong_is_said_where_it_is(text: str, said: str) -> None:
    """One mistake, one line."""
    (found,) = problems(POD + text)
    assert said in found


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("apiVersion: v1\nkind: Pod\n", ["spec: is required", "metadata.name: is required"]),
        (
            "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {}\n",
            ["spec.containers: is required (line 4)"],
        ),
        (
            "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: []}\n",
            ["containers: is required"],
        ),
        ("apiVersion: v1\n", ["kind: is required, as text"]),
        ("kind: [Pod]\napiVersion: v1\n", ["kind: is required, as text (line 1)"]),
        ("kind: Pod\n", ["apiVersion: is required, as text"]),
        ("kind: Pod\napiVersion: v2\n", ["apiVersion: a Pod is v1, not v2 (line 2)"]),
        (
            "kind: CronJob\napiVersion: batch/v1\n",
            ["kind: CronJob is not supported: give its jobTemplate as a Job"],
        ),
        (
            "kind: Ingress\napiVersion: v1\n",
            ["kind: Ingress is not supported: minirun reads Pod, ConfigMap, "],
        ),
        ("- a\n", ["an object is a map that begins with apiVersion and kind (line 1)"]),
        ("just words\n", ["an object is a map"]),
        ("", ["the file has no objects"]),
        ("---\n---\n# nothing\n", ["the file has no objects"]),
        ("kind: List\napiVersion: v1\n", ["items: is required, as a list of objects (line 1)"]),
        (
            "kind: List\napiVersion: v1\nitems: [{kind: List, apiVersion: v1}]\n",
            ["items[0].kind: List is not"],
        ),
        ("kind: List\napiVersion: v1\nitems: [1]\n", ["items[0]: an object is a map"]),
        (POD + "---\n" + POD, ["metadata.name: the file has another Pod named 'web' (line 11)"]),
    ],
)
def test_documents_that_are_no_objects(text: str, said: list[str]) -> None:
    """What stands around the fields."""
    found = problems(text)
    assert len(found) == len(said)
    assert all(words in line for words, line in zip(said, found, strict=True))


def test_lenient_leaves_unknown_fields_out_and_says_so() -> None:
    """Only those: a wrong type stays an error."""
    found = read(POD + "    colour: green\n", "pod.yaml", lenient=True)
    assert found.warnings == ("spec.containers[0].colour: no such field in a Container; left out (line 8)",)
    assert found.pods == read(POD, "pod.yaml").pods
    with pytest.raises(InvalidManifest):
        read(POD + "    stdin: 1\n", "pod.yaml", lenient=True)


def test_yaml_means_what_it_means_to_kubernetes() -> None:
    """Octal modes, words that are booleans, numbers that are quantities, and sixties that are none."""
    found = main_container(
        "    stdin: y\n    tty: off\n    workingDir: null\n"
        "    env: [{name: A, value: 22:22}, {name: B, value: 2024-01-01}]\n"
        "    resources: {limits: {cpu: 0.10, memory: 1e3}, requests: {memory: 12}}\n"
        "    ports: [{containerPort: 0x50}, {containerPort: 80.0}]\n"
    )
    assert (found.stdin, found.tty, found.workingDir) == (True, False, "")
    assert [one.value for one in found.env] == ["22:22", "2024-01-01"]
    assert found.resources is not None
    assert found.resources.limits == {"cpu": "0.10", "memory": "1e3"}
    assert found.resources.requests == {"memory": "12"}
    assert [one.containerPort for one in found.ports] == [80, 80]
    volumes = (
        read(
            POD + "  volumes:\n  - {name: a, secret: {secretName: s, defaultMode: 0400}}\n"
            "  - {name: b, secret: {secretName: s, defaultMode: 0o640}}\n",
            "pod.yaml",
        )
        .pods[0]
        .spec.volumes
    )
    assert [one.secret and one.secret.defaultMode for one in volumes] == [0o400, 0o640]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("080", 80),
        ("0755", 0o755),
        ("-0x1f", -31),
        ("1_000", 1000),
        ("+5", 5),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("-", "-"),
        ("--1", "--1"),
        ("1:30", "1:30"),
        (".inf", ".inf"),
        ("1_0.5x", "1_0.5x"),
        ("٣", "٣"),
        ("9" * 500, "9" * 500),
        ("On", True),
        ("oN", "oN"),
        ("~", None),
    ],
)
def test_what_a_plain_word_means(text: str, value: object) -> None:
    """The resolver that stands in for PyYAML's."""
    found = nodes.resolved(text)
    assert (found, type(found)) == (value, type(value))


def test_a_port_may_be_a_number_or_a_name() -> None:
    """intOrString."""
    found = main_container(
        "    ports: [{name: http, containerPort: 80}]\n"
        "    livenessProbe: {httpGet: {port: 80}}\n    readinessProbe: {httpGet: {port: http}}\n"
    )
    assert found.livenessProbe is not None and found.livenessProbe.httpGet == HTTPGetAction(port=80)
    assert found.readinessProbe is not None and found.readinessProbe.httpGet == HTTPGetAction(port="http")


def test_anchors_and_merge_keys() -> None:
    """An alias is what it stands for; what a map says itself wins over what it merges in."""
    found = read(
        "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec:\n  containers:\n"
        "  - &a {name: one, image: busybox, command: [x]}\n"
        "  - {name: two, <<: *a}\n"
        "  - {<<: [{tty: true}, *a], name: three, image: debian}\n",
        "pod.yaml",
    )
    one, two, three = found.pods[0].spec.containers
    assert (two.name, two.image, two.command) == ("two", "busybox", one.command)
    assert (three.name, three.image, three.tty) == ("three", "debian", True)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a: [1\n", "line 2: did not find expected ',' or ']' while parsing a flow sequence"),
        ("a: *nowhere\n", "line 1: *nowhere stands for nothing that ended before it"),
        ("a: &a [*a]\n", "line 1: *a stands for nothing that ended before it"),
        (
            "\na: !!python/object:os.system x\n",
            "line 2: 'x' is not what its tag !!python/object:os.system says",
        ),
        ("a: !mine x\n", "line 1: the tag !mine means nothing here"),
        ("a: !!int x\n", "line 1: 'x' is not what its tag !!int says"),
        ("? [a]\n: b\n", "line 1: the key of a map has to be a word"),
        ("<<: 1\n", "line 1: << takes a map, or a list of maps"),
        ("[" * 200 + "]" * 200, "line 1: it nests more than 100 deep"),
        ("- " * 200_000, "line 1: it nests more than 100 deep"),
        ("a: \x00\n", "unacceptable character #x0000: control characters are not allowed"),
        ("a: \ud800\n", "it is not UTF-8"),
    ],
)
def test_what_is_no_yaml(text: str, why: str) -> None:
    """The line of the slip; and no way to make the reader fall over."""
    with pytest.raises(InvalidInput) as caught:
        read(text, "pod.yaml")
    assert caught.value.what == "pod.yaml is not YAML"
    assert why in caught.value.why


def test_aliases_cannot_unfold_without_end() -> None:
    """A few lines that stand for a billion nodes are refused soon."""
    lines = ["apiVersion: v1", "kind: Pod", "metadata: {name: a}", "spec:", "  containers: []", "  volumes:"]
    lines.append("  - {name: a, csi: {x: &a0 [1, 2, 3, 4, 5, 6, 7, 8, 9]}}")
    lines += [f"  - {{name: a, csi: {{x: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]}}}}" for n in range(1, 12)]
    assert any("its aliases unfold without end" in one for one in problems("\n".join(lines)))


def test_it_reads_without_libyaml_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """PyYAML may come without its C part."""
    import yaml

    text = (
        POD + "    env: [{name: A, value: 22:22}]\n    stdin: yes\n  volumes: [{name: a, csi: {b: [*x]}}]\n"
    )
    text = text.replace("main", "&x main")
    with_c = problems(text)
    monkeypatch.delattr(yaml, "CSafeLoader")
    assert problems(text) == with_c and len(with_c) == 1
    assert read(POD, "pod.yaml").pods[0].metadata.name == "web"


def test_a_volume_without_a_source_is_an_empty_dir() -> None:
    """As the API server fills it in."""
    found = read(POD + "  volumes: [{name: a}]\n", "pod.yaml")
    assert found.pods[0].spec.volumes[0].emptyDir == EmptyDirVolumeSource()


def test_generate_name_gives_a_new_name_each_time() -> None:
    """``web-`` and five characters."""
    text = POD.replace("{name: web}", "{generateName: web-}")
    names = {read(text, "pod.yaml").pods[0].metadata.name for _ in range(5)}
    assert len(names) == 5 and all(len(name) == 9 and name.startswith("web-") for name in names)


def test_names_become_a_files_name() -> None:
    """The kernel's limit for both together; Kubernetes' own are higher."""

    def named(length: int) -> str:
        name = ".".join(("a" * 60, "b" * 60, "c" * 60, "d" * (length - 183)))
        return POD.replace("{name: web}", f"{{name: {name}}}")

    assert len(read(named(242), "pod.yaml").pods[0].metadata.name) == 242
    (found,) = problems(named(243))
    assert "metadata.name: has 247 characters with its longest container's, and both in one file's" in found


def test_names_that_the_hosts_network_overrules_are_noted() -> None:
    """The hostname is the host's own there."""
    found = read(POD + "  hostNetwork: true\n  hostname: a\n  subdomain: b\n", "pod.yaml")
    why = "hostNetwork goes with the host's own name"
    assert [str(note) for note in found.notes] == [
        f"spec.hostname: {why} (line 9)",
        f"spec.subdomain: {why} (line 10)",
    ]


# --- what makes pods -----------------------------------------------------------

WORKLOAD = """\
apiVersion: {version}
kind: {kind}
metadata: {{name: fleet, namespace: shop}}
spec:
  selector: {{matchLabels: {{app: x}}}}
  {more}
  template:
    metadata: {{labels: {{app: x}}, annotations: {{a: b}}}}
    spec:
      restartPolicy: {policy}
      containers: [{{name: main, image: busybox}}]
"""


def workload(kind: str, policy: str = "Always", more: str = "") -> str:
    """A Deployment, DaemonSet or Job."""
    return WORKLOAD.format(kind=kind, version=KINDS[kind][0], policy=policy, more=more)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (workload("Deployment"), ["fleet-0"]),
        (workload("Deployment", more="replicas: 3"), ["fleet-0", "fleet-1", "fleet-2"]),
        (workload("Deployment", more="replicas: 0"), []),
        (workload("DaemonSet"), ["fleet"]),
        (workload("Job", "Never"), ["fleet"]),
        (workload("Job", "Never", more="suspend: true"), []),
    ],
)
def test_workloads_become_pods_with_stable_names(text: str, names: list[str]) -> None:
    """Twice the same file, twice the same pods."""
    pods = read(text, "w.yaml").pods
    assert [pod.metadata.name for pod in pods] == names
    assert pods == read(text, "w.yaml").pods
    for pod in pods:
        assert (pod.metadata.namespace, pod.metadata.labels["app"]) == ("shop", "x")
        assert pod.metadata.annotations == {"a": "b"}
        assert pod.metadata.ownerReferences[0].name == "fleet"
        assert pod.spec.containers == (Container(name="main", image="busybox"),)


@pytest.mark.parametrize(
    ("of_the_job", "of_the_pod", "least"),
    [("60", "~", 60), ("60", "30", 30), ("~", "30", 30), ("~", "~", None)],
)
def test_a_jobs_deadline_is_its_pods(of_the_job: str, of_the_pod: str, least: int | None) -> None:
    """The shorter of the two."""
    text = workload("Job", "Never", f"activeDeadlineSeconds: {of_the_job}")
    text = text.replace("restartPolicy:", f"activeDeadlineSeconds: {of_the_pod}\n      restartPolicy:")
    assert read(text, "w.yaml").pods[0].spec.activeDeadlineSeconds == least


def expressed(requirement: str) -> str:
    """A Deployment that chooses its pods by an expression."""
    return workload("Deployment").replace("{matchLabels: {app: x}}", f"{{matchExpressions: [{requirement}]}}")


def test_a_selector_may_be_expressions() -> None:
    """Each of them fits the labels ``app: x``."""
    for fits in (
        "app, operator: In, values: [x, z]",
        "tier, operator: DoesNotExist",
        "app, operator: Exists",
    ):
        assert len(read(expressed(f"{{key: {fits}}}"), "w.yaml").pods) == 1
    assert len(read(expressed("{key: tier, operator: NotIn, values: [web]}"), "w.yaml").pods) == 1


def test_who_makes_no_pods_is_known_still() -> None:
    """So that those of before can go."""
    found = read(workload("Deployment", more="replicas: 0"), "w.yaml")
    assert (found.pods, found.owners) == ((), (("Deployment", "shop", "fleet"),))
    assert str(found.notes[0]) == "spec.replicas: it asks for no pod (line 6)"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            workload("Deployment", "Never"),
            "spec.template.spec.restartPolicy: has to be Always in a Deployment",
        ),
        (workload("Job"), "spec.template.spec.restartPolicy: has to be OnFailure or Never in a Job"),
        (
            workload("Deployment", more="replicas: -1"),
            "spec.replicas: -1 is too small: 0 is the least (line 6)",
        ),
        (
            workload("Deployment", more="replicas: 5000"),
            "spec.replicas: more than 1000 are for a cluster (line 6)",
        ),
        (
            workload("Deployment").replace("{labels: {app: x}", "{labels: {app: z}"),
            "need app: x, which spec.select",
        ),
        (
            workload("Deployment").replace("main", "Main"),
            "spec.template.spec.containers[0].name: 'Main' is no name",
        ),
        (
            workload("Deployment").replace("{matchLabels: {app: x}}", "{}"),
            "spec.selector: is empty, and would",
        ),
        (
            expressed("{key: app, operator: NotIn, values: [x, z]}"),
            "spec.template.metadata.labels: do not fit app NotIn x z, which spec.selector wants",
        ),
        (expressed("{key: tier, operator: Exists}"), "do not fit tier Exists, which spec.selector wants"),
        (expressed("{key: app, operator: In}"), "spec.selector.matchExpressions[0].values: go with In and"),
    ],
)
def test_a_template_has_rules_of_its_own(text: str, said: str) -> None:
    """The path is the template's."""
    (found,) = problems(text)
    assert said in found


# --- nothing but MinirunError ----------------------------------------------------

WORDS = st.sampled_from(
    """apiVersion kind metadata spec containers name image Pod List v1 items ports env value resources limits
    cpu volumes emptyDir configMap data binaryData Secret Deployment apps/v1 template selector livenessProbe
    httpGet port securityContext sysctls 1 -1 0x 1e999 yes null ~ << 0o9 64Mi a/b .. $(A) divisor""".split()
)
TREES = st.recursive(
    WORDS | st.integers() | st.none() | st.booleans() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=5),
    max_leaves=25,
)


def reads_or_refuses(text: str) -> None:
    """Either typed documents or an error for users: never a traceback."""
    try:
        found = read(text, "any.yaml")
    except MinirunError as error:
        assert str(error)
    else:
        assert isinstance(found, Documents)


@given(st.text())
@example("a: \ud800")
@example('"\\ud800"')
@example("%YAML 9.9\n---\n")
@example("\ufeff" + POD)
@settings(max_examples=300, deadline=None)
def test_no_text_makes_it_fall_over(text: str) -> None:
    """Arbitrary text."""
    reads_or_refuses(text)


@given(TREES)
@settings(max_examples=300, deadline=None)
def test_no_tree_makes_it_fall_over(tree: object) -> None:
    """Any shape that is YAML, below a pod's spec and as an object itself."""
    import yaml

    reads_or_refuses(yaml.safe_dump(tree))
    head = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}}
    reads_or_refuses(yaml.safe_dump({**head, "spec": tree}))
    reads_or_refuses(yaml.safe_dump({**head, "spec": {"containers": tree, "volumes": tree}}))


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_no_slip_in_a_good_manifest_makes_it_fall_over(data: st.DataObject) -> None:
    """A field of a real pod, replaced by something else."""
    spec: dict[str, object] = {"containers": [{"name": "a", "image": "b"}]}
    field = data.draw(st.sampled_from(PodSpec.__fields__))
    spec[field] = data.draw(TREES)
    inner = data.draw(st.sampled_from(Container.__fields__))
    spec["initContainers"] = [{"name": "b", "image": "c", inner: data.draw(TREES)}]
    import yaml

    reads_or_refuses(
        yaml.safe_dump({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": spec})
    )


def test_a_pod_is_a_value() -> None:
    """What is read can be kept: it goes through plain and revive unchanged."""
    from minirun.values import plain, revive

    (pod,) = read(POD, "pod.yaml").pods
    assert revive(plain(pod), Pod) == pod
