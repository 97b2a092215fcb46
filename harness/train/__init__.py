"""LoRA candidates: `loop.train` makes several at once on one frozen base.

data.py        rows, masking, which rows meet in which step: pure, without torch
forward.py     rows of several candidates as one stream of tokens that do not see each other
fused.py       a frozen linear layer plus adapters, and the loss on a frozen head, as autograd functions
lora.py        adapters beside a frozen base, started as peft starts them and saved as peft saves them
steps.py       the steps of the candidates
probe.py       does it fit, how many candidates share a forward pass, how long it takes
ranks.py       data parallel under torchrun
checkpoint.py  a training that may be broken off at any moment
card.py        training.json: how an adapter was made, and what makes two trainings the same one
loop.py        train(): all of it together
examine.py     what is known of the data before a second is spent on it
served.py      the engine beside a training: dev scores on the way, and agreement at the end
candidate.py   from a suite's train split to trained adapters: what `harness train NAME` calls
"""
