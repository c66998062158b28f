"""Mathematical answers as people and models write them: read, compared, never guessed.

`text` finds the answer in what was written, `parser` reads it into a tree without calculating
anything, `compare` matches two trees, and `worker` says whether two formulas are equal, in a
killable process. `reason_env.answers` is the way in.
"""
