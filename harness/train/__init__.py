"""LoRA candidates: `loop.train` makes one.

data.py        rows, masking, which rows meet in which step: pure, without torch
forward.py     several rows as one stream of tokens that do not see each other
fused.py       a frozen linear layer plus its adapter as one autograd function
lora.py        attach and save an adapter
steps.py       the steps of one candidate
checkpoint.py  a training that may be broken off at any moment
card.py        training.json: how an adapter was made, and what makes two trainings the same one
loop.py        train(): all of it together
candidate.py   from a suite's train split to a trained adapter: what `harness train NAME` calls
"""
