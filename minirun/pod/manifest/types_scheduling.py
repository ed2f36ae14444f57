"""Where a pod may run: what only a cluster can mean.

Layer: pod. Read and typed, so that a slip of the pen is still found, and then
set aside with a note, as a kubelet sets it aside: a scheduler reads it, and
there is one node here. Read next: types_pod.py.
API reference: "Affinity", "Toleration", "TopologySpreadConstraint".
"""

from __future__ import annotations

from minirun.pod.manifest.types_meta import LabelSelector
from minirun.values import Value


class NodeSelectorRequirement(Value):
    """A node's label, an operator, and values."""

    key: str
    operator: str
    values: tuple[str, ...] = ()


class NodeSelectorTerm(Value):
    """Requirements that all have to hold."""

    matchExpressions: tuple[NodeSelectorRequirement, ...] = ()
    matchFields: tuple[NodeSelectorRequirement, ...] = ()


class NodeSelector(Value):
    """Terms of which one has to hold."""

    nodeSelectorTerms: tuple[NodeSelectorTerm, ...]


class PreferredSchedulingTerm(Value):
    """A term that is liked, and how much (1 to 100)."""

    weight: int
    preference: NodeSelectorTerm


class NodeAffinity(Value):
    """Which nodes a pod may, and would rather, run on."""

    requiredDuringSchedulingIgnoredDuringExecution: NodeSelector | None = None
    preferredDuringSchedulingIgnoredDuringExecution: tuple[PreferredSchedulingTerm, ...] = ()


class PodAffinityTerm(Value):
    """Beside which pods, within what of the same ``topologyKey``."""

    topologyKey: str
    labelSelector: LabelSelector | None = None
    namespaces: tuple[str, ...] = ()
    namespaceSelector: LabelSelector | None = None
    matchLabelKeys: tuple[str, ...] = ()
    mismatchLabelKeys: tuple[str, ...] = ()


class WeightedPodAffinityTerm(Value):
    """A term that is liked, and how much (1 to 100)."""

    weight: int
    podAffinityTerm: PodAffinityTerm


class PodAffinity(Value):
    """Beside which pods to run."""

    requiredDuringSchedulingIgnoredDuringExecution: tuple[PodAffinityTerm, ...] = ()
    preferredDuringSchedulingIgnoredDuringExecution: tuple[WeightedPodAffinityTerm, ...] = ()


class PodAntiAffinity(Value):
    """Away from which pods to run."""

    requiredDuringSchedulingIgnoredDuringExecution: tuple[PodAffinityTerm, ...] = ()
    preferredDuringSchedulingIgnoredDuringExecution: tuple[WeightedPodAffinityTerm, ...] = ()


class Affinity(Value):
    """Where a scheduler may put a pod."""

    nodeAffinity: NodeAffinity | None = None
    podAffinity: PodAffinity | None = None
    podAntiAffinity: PodAntiAffinity | None = None


class Toleration(Value):
    """A taint of a node that a pod puts up with."""

    key: str = ""
    operator: str = ""
    value: str = ""
    effect: str = ""
    tolerationSeconds: int | None = None


class TopologySpreadConstraint(Value):
    """How evenly pods are spread over nodes or zones."""

    maxSkew: int
    topologyKey: str
    whenUnsatisfiable: str
    labelSelector: LabelSelector | None = None
    minDomains: int | None = None
    nodeAffinityPolicy: str | None = None
    nodeTaintsPolicy: str | None = None
    matchLabelKeys: tuple[str, ...] = ()


class PodSchedulingGate(Value):
    """A gate that somebody has to open before a scheduler looks at the pod."""

    name: str


class PodReadinessGate(Value):
    """A condition that somebody else reports, and that readiness waits for."""

    conditionType: str


class PodResourceClaim(Value):
    """A device that a driver of the cluster hands out."""

    name: str
    resourceClaimName: str | None = None
    resourceClaimTemplateName: str | None = None


class PodSchedulingGroup(Value):
    """The group of pods that a scheduler places together."""

    podGroupName: str | None = None


class EvictionResponder(Value):
    """Who is asked before a pod has to leave its node."""

    name: str
    priority: int
