"""One line that says what holds a loop back, and one piece of advice: rules over measured numbers.

The rules, in their order. A loop that stays far below both of its ceilings is *contended* (loader
and model take each other's cores), unless it is *bursty*: the loader is fast enough on average, and
some waits are long. Otherwise the lower ceiling names it: *input-bound*, *model-bound*, or
*balanced* when they are alike. The advice for an input-bound loop goes from what costs a keyword to
what costs work: a thread count, processes, a queue, another device, then the heaviest stage itself.
"""

from __future__ import annotations

from dataclasses import dataclass

from domainkit.loader.stats import WORKERS
from domainkit.profile.result import Profile

__all__ = ["Verdict", "judge"]

ALIKE = 0.9  # ceilings this near to each other are alike
CONTENDED = 0.75  # a loop below this share of both ceilings loses to contention, not to either
STALLED = 0.05  # a share of waiting below this is not worth a word
BURST = 10.0  # a 99th percentile this many times the median is a burst
ONE_CORE = 1.3  # cores: threads that share one lock keep no more than this busy
IDLE = 0.75  # cores
SATURATED = 0.6  # of a core per thread: threads that have work
CROWDED = 0.85  # of all cores
FOREIGN = 0.3  # of all cores: other programs that take more make a measurement worthless

NAMES = {
    "input": "Input-bound",
    "model": "Model-bound",
    "balanced": "Balanced",
    "contended": "Contended",
    "bursty": "Bursty",
}


@dataclass(frozen=True)
class Verdict:
    """What ``judge`` says.

    Attributes:
        bound: "input", "model", "balanced", "contended" or "bursty".
        stage: the worker stage that takes most of the loader's time; None where it does not matter.
        advice: a key: "more-threads", "fewer-threads", "processes", "prefetch", "storage",
            "smaller-media", "transform-on-device", "cheaper-transform", "equal-shapes",
            "smaller-copies", "share-cores", "model-to-device", "cheaper-step", "other-programs"
            or "leave".
        line: all of it as one line for people.
    """

    bound: str
    stage: str | None
    advice: str
    line: str


def judge(profile: Profile) -> Verdict:
    """The verdict over a profile: a function of its numbers alone.

    Example:
        >>> from domainkit.loader.stats import STAGES, StageStats, Stats
        >>> stages = dict.fromkeys(STAGES, StageStats()) | {"decode": StageStats(share=0.9)}
        >>> stats = Stats(640, 10, 1.0, 640.0, 0.6, stages)
        >>> found = Profile("mine", 640.0, 650.0, 1600.0, stats, input_cores=2.0, device="cuda",
        ...     batch_size=64, num_threads=2, num_processes=0, prefetch=4, cpus=8,
        ...     torch_threads=4, accelerator=True, idle_cores=6.0)
        >>> judge(found).advice
        'more-threads'
    """
    p, stage = profile, _heaviest(profile)
    if p.model_rate is None:
        key, advice = _for_input(p, stage)
        told = f"The loader alone: {_percent(p, stage)}; {advice}."
        return Verdict("input", stage, key, told)
    ceiling = min(p.input_rate, p.model_rate)
    waits = f"the loop waits {100 * p.stats.stall:.0f} % of its time"
    if p.input_rate >= ALIKE * p.model_rate and p.rate < ALIKE * ceiling and _bursty(p):
        wait = p.stats.stages["wait"]
        longest = f"1 wait in 100 is {wait.p99 / max(wait.p50, 1e-6):,.0f} x the median or more"
        told = f"{waits}, although the loader is fast enough on average: {longest}"
        return _verdict("bursty", None, told, ("prefetch", f"try prefetch={2 * p.prefetch}"))
    if p.rate < CONTENDED * ceiling:
        told = (
            f"loader and model together reach {100 * p.rate / ceiling:.0f} % of what the slower "
            "of them does alone"
        )
        return _verdict("contended", stage, told, _for_contended(p, stage))
    if p.input_rate < ALIKE * p.model_rate:
        gain = f"the model could take {_times(p.model_rate / p.rate)} as many samples"
        told = f"{waits}, {gain}, {_percent(p, stage)}"
        return _verdict("input", stage, told, _for_input(p, stage))
    if p.model_rate < ALIKE * p.input_rate:
        told = f"the loader could give {_times(p.input_rate / p.rate)} as many samples"
        return _verdict("model", None, told, _for_model(p))
    told = "loader and model are equally fast"
    return _verdict("balanced", None, told, ("leave", "leave it so: more speed needs both"))


def _verdict(bound: str, stage: str | None, told: str, advice: tuple[str, str]) -> Verdict:
    return Verdict(bound, stage, advice[0], f"{NAMES[bound]}: {told}; {advice[1]}.")


def _for_input(p: Profile, stage: str) -> tuple[str, str]:
    """The first advice that fits, from settings to the heaviest stage."""
    return _about_others(p) or _about_threads(p, stage) or _about_stage(p, stage)


def _about_others(p: Profile) -> tuple[str, str] | None:
    if p.num_processes:
        return None  # their time is not told from that of other programs
    taken = p.cpus - p.input_cores - p.idle_cores
    if taken <= FOREIGN * p.cpus:
        return None
    told = f"other programs take {taken:.1f} of {p.cpus} cores"
    return "other-programs", f"measure again when the machine has nothing else to do: {told}"


def _about_threads(p: Profile, stage: str) -> tuple[str, str] | None:
    if p.num_processes:
        return None  # how busy other processes are was not measured
    if p.num_threads == 0:
        return "more-threads", "leave num_threads out, so that threads prepare batches ahead"
    if p.num_threads >= 2 * p.cpus and p.input_cores >= CROWDED * p.cpus:
        return "fewer-threads", f"try num_threads={p.cpus}: more threads than cores only take turns"
    if p.num_threads > p.prefetch and _occupied(p) < 0.5:
        doubled = max(2 * p.prefetch, p.num_threads)
        return "prefetch", f"try prefetch={doubled}: the threads wait for something to prepare"
    if p.num_threads >= 2 and p.input_cores < ONE_CORE and p.idle_cores >= IDLE:
        if stage == "read":
            return "storage", "the threads wait for storage: put the cache on a faster disk"
        if stage in ("decode", "transform") and _occupied(p) >= 0.5:
            workers = min(p.cpus, p.num_threads)
            return "processes", f"try num_processes={workers}: {stage} keeps Python's lock"
    if (
        p.num_threads < p.cpus
        and p.idle_cores >= IDLE
        and p.input_cores >= SATURATED * p.num_threads
    ):
        told = f"{p.idle_cores:.1f} of {p.cpus} cores are idle"
        return "more-threads", f"try num_threads={p.cpus}: {told}"
    return None


def _about_stage(p: Profile, stage: str) -> tuple[str, str]:
    if stage == "transform" and p.device == "cpu" and p.accelerator:
        return "transform-on-device", 'give the Loader device="cuda": it transforms there'
    return {
        "read": ("storage", "put the cache on a faster disk"),
        "decode": ("smaller-media", "store media no larger than the transform needs"),
        "place": ("equal-shapes", "store samples of one shape: they are placed quickest"),
        "copy": ("smaller-copies", "store smaller samples: less is copied to the device"),
        "transform": ("cheaper-transform", "choose a recipe with fewer or cheaper steps"),
    }[stage]


def _for_contended(p: Profile, stage: str) -> tuple[str, str]:
    return _about_others(p) or _about_sharing(p, stage)


def _about_sharing(p: Profile, stage: str) -> tuple[str, str]:
    if p.device != "cpu":
        workers = max(1, min(p.cpus, p.num_threads))
        return "processes", f"try num_processes={workers}: the loader keeps Python's lock"
    if p.num_threads + p.torch_threads > p.cpus and p.torch_threads > 1:
        share = max(1, p.cpus - p.num_threads)
        return "share-cores", f"call torch.set_num_threads({share}): they share {p.cpus} cores"
    if p.num_threads + p.torch_threads > p.cpus and p.num_threads > 1:
        return "fewer-threads", f"try num_threads={max(1, p.cpus - p.torch_threads)}"
    if p.accelerator:
        return "model-to-device", "move the model to the accelerator: the loader needs the cores"
    return _about_stage(p, stage)


def _for_model(p: Profile) -> tuple[str, str]:
    if p.device == "cpu" and p.accelerator:
        return "model-to-device", "move the model to the accelerator"
    return "cheaper-step", "only a cheaper step helps (torch.autocast, torch.compile, less model)"


def _bursty(p: Profile) -> bool:
    wait, step = p.stats.stages["wait"], p.stats.stages["step"]
    matters = p.stats.stall >= STALLED and wait.p99 >= 0.5 * step.p50
    return matters and wait.p99 >= BURST * wait.p50


def _occupied(p: Profile) -> float:
    """How much of their time the worker threads work, in [0, 1]."""
    worked = sum(p.stats.stages[name].seconds for name in WORKERS)
    return worked / (p.stats.seconds * max(p.num_threads, 1)) if p.stats.seconds else 0.0


def _heaviest(p: Profile) -> str:
    return max(WORKERS, key=lambda name: p.stats.stages[name].share)


def _percent(p: Profile, stage: str) -> str:
    return f"{stage} is {100 * p.stats.stages[stage].share:.0f} % of the loader's work"


def _times(ratio: float) -> str:
    return f"{ratio:.1f} x"
