"""What makes pods: the rules of a Deployment, a Job and a DaemonSet, and what its pods are called.

Layer: pod; pure. No controller runs here: replicas are counted once, a Job is one
pod. Read next: validate.py. Kubernetes, "Workload Management".
"""

from __future__ import annotations

from minirun.pod.manifest import rules_data
from minirun.values import TYPE_CHECKING, Value, replace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from minirun.pod.manifest.problems import Finding
    from minirun.pod.manifest.types import LabelSelectorRequirement, Pod, PodTemplateSpec

#: More pods than these from one Deployment are a slip of the pen, or a cluster's work.
MOST_REPLICAS = 1000


def check(kind: str, spec: Value) -> Iterator[Finding]:
    """What a template may not say that a pod may."""
    template: PodTemplateSpec = spec.template  # type: ignore[attr-defined]  # all three have one
    policy = template.spec.restartPolicy
    labels = template.metadata.labels
    if kind == "Job" and policy not in ("OnFailure", "Never"):
        yield "spec.template.spec.restartPolicy", "has to be OnFailure or Never in a Job, which ends"
    if kind != "Job" and policy not in (None, "Always"):
        yield "spec.template.spec.restartPolicy", f"has to be Always in a {kind}, which goes on"
    if kind != "Job" and template.spec.activeDeadlineSeconds is not None:
        yield "spec.template.spec.activeDeadlineSeconds", f"cannot be in a {kind}, which goes on"
    yield from rules_data.labels(template.metadata, "spec.template.metadata")
    selector = getattr(spec, "selector", None)
    if kind != "Job" and selector:
        if not selector.matchLabels and not selector.matchExpressions:
            yield "spec.selector", "is empty, and would choose every pod"
        for key, value in selector.matchLabels.items():
            if labels.get(key) != value:
                yield "spec.template.metadata.labels", f"need {key}: {value}, which spec.selector wants"
        for index, wish in enumerate(selector.matchExpressions):
            place = f"spec.selector.matchExpressions[{index}]"
            if (wish.operator in ("In", "NotIn")) != bool(wish.values):
                yield f"{place}.values", "go with In and NotIn, and have to be there then"
            elif not _fits(wish, labels):
                said = " ".join((wish.key, wish.operator, *wish.values))
                yield "spec.template.metadata.labels", f"do not fit {said}, which spec.selector wants"
    if (getattr(spec, "replicas", None) or 0) > MOST_REPLICAS:
        yield "spec.replicas", f"more than {MOST_REPLICAS} are for a cluster"


def _fits(wish: LabelSelectorRequirement, labels: dict[str, str]) -> bool:
    if wish.operator in ("Exists", "DoesNotExist"):
        return (wish.key in labels) == (wish.operator == "Exists")
    return (labels.get(wish.key) in wish.values) == (wish.operator == "In")


def pod_names(kind: str, name: str, spec: Value) -> list[str]:
    """Names that are the same every time, so that ``pod down FILE`` finds them."""
    if kind != "Deployment":
        return [] if getattr(spec, "suspend", None) else [name]
    replicas = spec.replicas  # type: ignore[attr-defined]  # a Deployment's
    # min: what is out of range has been said; it need not be built.
    return [f"{name}-{number}" for number in range(min(1 if replicas is None else replicas, MOST_REPLICAS))]


def within(pod: Pod, spec: Value) -> Pod:
    """``pod`` with the deadline of its Job, which is one pod here."""
    limits = (getattr(spec, "activeDeadlineSeconds", None), pod.spec.activeDeadlineSeconds)
    least = min((limit for limit in limits if limit is not None), default=None)
    return replace(pod, spec=replace(pod.spec, activeDeadlineSeconds=least))
