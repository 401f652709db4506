"""Learns which desk a request belongs to from 80 examples, and is corrected once."""

from pathlib import Path

from infinidoc import Task

HERE = Path(__file__).parent

with Task.open("desks-example") as task:
    summary = task.learn(HERE / "requests.csv", input="request", output="desk")
    print(f"{summary.examples} examples, {summary.outputs} desks, {summary.seconds:.1f} s\n")

    for prediction in task.predict(["my loan runs out on Monday, can I have a bit longer?", "the toilets are blocked"]):
        doubt = "" if prediction.in_scope else ", but probably none of these desks"
        print(f"{prediction.input}\n  {prediction.label} ({prediction.probability:.2f}){doubt}")
        for example in prediction.examples[:2]:
            print(f"    {example.weight:.2f}  {example.input}")

    task.add([("the toilets are blocked", "caretaker"), ("a window is broken", "caretaker")])
    print("\nafter two more examples:", task.predict("the toilets on the first floor are blocked again")[0].label)
