"""Mathematical answers as people and models write them: read, compared, never guessed.

`reason_env.answers` is the way in. In the order in which an answer meets them:

- `text`: what was written, without boxes, dollars, bold type and Unicode; or the words of it;
- `tokens`: its numbers, names, functions, units and signs;
- `parser`: a tree of them, which nothing has calculated yet;
- `values`: the number that a tree is, if it is one in its last form; what is too large is refused;
- `compare`: the two trees side by side: lists, intervals, matrices, equations, units, names.
  It decides all but whether two formulas are equal, which it asks of
- `worker`, in a killable process: equal in many digits (`digits`), equal to math-verify, no more
  left to calculate (`shape`), and expanded or factored in the same way.
"""
