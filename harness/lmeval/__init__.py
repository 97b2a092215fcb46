"""lm-eval's tasks as samples of a suite (tasks, documents), and an engine as a model of its own evaluator (model).

lm_eval 0.4 is an extra; nothing here imports it before it is used.
"""
