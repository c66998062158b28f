"""Bridge to OpenRLHF 0.11.2, for training past one machine (Ray, vLLM, DeepSpeed).

`export.export(folder, config)` writes a folder that runs there. What it refers to:

- `agent.py`: an episode of an environment as a multi-turn agent, one line per generation;
- `step_rewards.py` and `train.py`: rewards on the tokens that earned them, not at the end;
- `reward.py`: a reward function for texts that are written in one go.

Inside this package `import openrlhf` still means OpenRLHF itself.
"""
