r"""Answers to accept, to reject and not to score: `gold | answer` by form.

Every line is one case of its own; what it shows is said by the heading above it.
"""

ACCEPT = {
    "value": r"""
# plain numbers
18 | 18
-7 | -7
0 | 0
3 | 3.0
42 | +42
073 | 73
73 | 073
-0 | 0
# thousands
1234 | 1,234
70000 | 70,000
1,234,567 | 1234567
10{,}000 | 10000
2500 | 2{,}500
15000 | 15,\!000
1000000 | 1\,000\,000
1234.5 | 1,234.50
# decimals and fractions
0.5 | .5
0.50 | 0.5
\frac{1}{2} | 0.5
0.5 | 1/2
\frac{1}{2} | \dfrac{1}{2}
\frac12 | \frac{1}{2}
\frac{2}{4} | 1/2
-\frac{3}{4} | \frac{-3}{4}
-\frac{3}{4} | -0.75
8/3 | \tfrac{8}{3}
3.25 | 13/4
\frac{22}{7} | 22/7
# mixed numbers
\frac{3}{2} | 1\frac{1}{2}
1\frac{1}{10} | 1.1
11/10 | 1 1/10
-\frac{7}{3} | -2\frac{1}{3}
2.5 | 2½
0.5 | ½
# repeating decimals
\frac{1}{3} | 0.\overline{3}
1/3 | 0.(3)
\frac{1}{6} | 0.1\overline{6}
\frac{5}{11} | 0.\overline{45}
\frac{3}{7} | 0.\bar{428571}
# powers of ten
1000 | 1e3
1500 | 1.5 \times 10^3
1500 | 1.5*10^{3}
0.0025 | 2.5 \times 10^{-3}
25000000 | 2.5E7
6.02 \times 10^{23} | 6.02e23
# per cent
0.335 | 33.5\%
10\% | 0.1
10\% | 10%
\frac{1}{4} | 25\%
5\% | \frac{1}{20}
# Unicode
-5 | −5
-5 | –5
23 | ２３
7 | 7。
1234 | １，２３４
12000 | 12 000
# units
10 | 10\text{ cm}
10\text{ cm} | 10
10\text{ cm} | 10 cm
10 cm | 10 centimeters
12\text{ cm}^2 | 12 square centimeters
12 cm^2 | 12\text{ sq cm}
5 ft | 5 feet
60 mph | 60 miles per hour
60\text{ km/h} | 60 km/h
18 | 18 eggs
15 | $15
15 | \$15
\$15,000 | 15000 dollars
-5 | -$5
74^\circ | 74°
74^\circ | 74
74 | 74^{\circ}
74 | 74 degrees
30 | 30\degree
3\text{ hours} | 3 hours
5\text{ m} | 5 m
# names
5 | x = 5
x=5 | 5
5 | 5 = x
74^\circ | \angle APC = 74^\circ
12 | AB = 12
7 | f(3) = 7
9 | \text{Area} = 9
9 | Area = 9
# wrapped up
42 | \boxed{42}
42 | The answer is \boxed{42}
42 | The answer is 42.
42 | So the final answer is: $42$
42 | $$42$$
42 | \(42\)
42 | \[ 42 \]
42 | **42**
42 | 42.
42 |  42 .
42 | $42.$
42 | {42}
42 | (42)
42 | \boxed{42
42 | \boxed{\boxed{42}}
42 | \boxed{42} and again \boxed{42}
42 | \fbox{42}
42 | \boxed{ 42. }
42 | `42`
42 | \boxed{$42$}
42 | \;42\!
1/2 | \boxed{\frac{1}{2}}
# big
123456789012345678901234567890 | 123,456,789,012,345,678,901,234,567,890
100000000000000000000 | 1e20
""",
    "expression": r"""
# order and spacing
x+1 | 1+x
2xy | 2yx
x^2+2x+1 | 1 + 2x + x^2
x^2+2x+1 | 2x+x^2+1
3ab^2 | 3b^2a
(x+1)(x-2) | (x-2)(x+1)
(x-1)^2(x+3) | (x+3)(x-1)^2
(x+1)^2 | (x+1)(x+1)
(x+1)^2 | (1+x)^2
# other writing
x^2 | x**2
x^{10} | x^10
x^2 | x²
2x | 2*x
2x | 2 \cdot x
6x | 6 \times x
\frac{x}{2} | x/2
\frac{x}{2} | \frac{1}{2}x
\frac{x}{2} | 0.5x
\frac{x+1}{2} | (x+1)/2
\frac{x-3}{2} | \frac{x}{2} - \frac{3}{2}
\frac{x-3}{2} | \frac12 (x-3)
-\frac{x-1}{2} | \frac{1-x}{2}
\sqrt{x} | x^{1/2}
\sqrt[3]{x} | x^{\frac{1}{3}}
x^{-1} | \frac{1}{x}
\left(x+1\right)^2 | \bigl(x+1\bigr)^{2}
2(x+1) | 2x+2
e^{2x} | \exp(2x)
|x-1| | |1-x|
|x| | \lvert x \rvert
a_1 + a_2 | a_{2}+a_{1}
\ln x | \ln(x)
\sin^2 x | (\sin x)^2
\sin x \cos y | \cos(y)\sin(x)
\sin^{-1} x | \arcsin x
\cos\theta | \cos(\theta)
f^{-1}(x) = \frac{x-3}{2} | f^{-1}(x) = \frac{x}{2} - \frac{3}{2}
# roots
\sqrt{2} | \sqrt2
\sqrt{2} | √2
\sqrt{2} | sqrt(2)
\sqrt{2} | 2^{1/2}
3\sqrt{5} | 3 * sqrt(5)
14\sqrt{2} | \sqrt{392}
2\sqrt{3} | \sqrt{12}
\frac{\sqrt{2}}{2} | \frac{1}{\sqrt{2}}
\frac{2\sqrt{3}}{3} | \frac{2}{\sqrt{3}}
\frac{3\sqrt{5}}{7} | (3*sqrt(5))/7
\sqrt{3}-1 | -1+\sqrt{3}
2^{1/4} | \sqrt{\sqrt{2}}
\sqrt[3]{4} | 4^{1/3}
\frac{\sqrt{6}+\sqrt{2}}{4} | \frac{\sqrt{2}+\sqrt{6}}{4}
\frac{1+\sqrt{5}}{2} | \frac{1}{2} + \frac{\sqrt{5}}{2}
\sqrt{3+2\sqrt{2}} | 1+\sqrt{2}
# pi and other constants
2\pi | 2π
2\pi | 2*pi
\frac{\pi}{2} | \pi/2
\frac{\pi}{2} | 0.5\pi
12\pi\text{ cm}^2 | 12\pi
\frac{3\pi}{4} | \frac{3}{4}\pi
e^2 | e^{2}
\ln 2 | \ln{2}
\log_2 3 | \log_{2}(3)
\arctan 2 | \arctan(2)
\frac{\sqrt{3}}{2}\pi | \frac{\pi\sqrt{3}}{2}
# more worked out than the gold answer
10! | 3628800
\binom{10}{3} | 120
2^{10} | 1024
\sqrt{50}-\sqrt{18} | 2\sqrt{2}
10^3 | 1000
2^{2025} | 2^{2025}
\frac{1}{2004!} | 1/2004!
# complex numbers
3+4i | 4i+3
2i | 2 i
\frac{3+i\sqrt{3}}{2} | \frac{3}{2}+\frac{\sqrt{3}}{2}i
1-2i | -2i+1
# infinity
\infty | ∞
-\infty | -\infty
\infty | +\infty
\infty | infinity
# lists and sets
1, 2 | 2, 1
1,-2 | -2, 1
3, 4, 5 | 5,4,3
1, 2 | 1 and 2
1, 2 | 1 \text{ and } 2
1, 2, 3 | 1, 2, and 3
1 \text{ or } 3 | 3, 1
\{1,2\} | \{2,1\}
\{1,2\} | 1, 2
1,2 | \{2, 1\}
\{1, \frac{1}{2}\} | \{0.5, 1\}
\sqrt{2}, -\sqrt{2} | -\sqrt{2}, \sqrt{2}
\pm 3 | 3, -3
\pm 3 | -3, 3
x = \pm 3 | x = 3 \text{ or } x = -3
3, -3 | ±3
3 \pm \sqrt{2} | 3+\sqrt{2}, 3-\sqrt{2}
1 \pm 2i | 1+2i, 1-2i
\frac{-1 \pm \sqrt{5}}{2} | \frac{-1+\sqrt{5}}{2}, \frac{-1-\sqrt{5}}{2}
2, 3, \frac{3+i\sqrt{3}}{2} | 3, 2, \frac{3+i\sqrt{3}}{2}
\emptyset | \varnothing
\emptyset | \{\}
# names in lists
x=1, x=2 | 1, 2
1, 2 | x=1, x=2
1, 2 | x = 1, 2
x=1,x=2 | x=2 \text{ or } x=1
x=2, y=3 | y=3, x=2
\{1,2\} | x \in \{1,2\}
(2,3) | (x,y) = (2,3)
# pairs, intervals, matrices
(1,2) | (1, 2)
(3,\frac{\pi}{2}) | \left( 3, \frac{\pi}{2} \right)
(0.5, 2) | (\frac{1}{2}, 2)
(1,200) | (1, 200)
(1,2),(3,4) | (3,4), (1,2)
(1,2,3) | (1,2,3)
[1,2) | \left[1,2\right)
(-\infty, 3] | (-∞,3]
(-\infty,-8)\cup(8,\infty) | (8,\infty) \cup (-\infty,-8)
(-oo,-8) U (8,oo) | (-\infty,-8)\cup(8,\infty)
x \in [1,2) | [1,2)
[2,\infty) | x \ge 2
(-\infty, 3) | x < 3
x \ge 2 | [2,\infty)
[1, 5) | 1 \le x < 5
(-\infty,-8)\cup(8,\infty) | x < -8 \text{ or } x > 8
\begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix} | \begin{bmatrix} 1 & 2 \\ 3 & 4 \end{bmatrix}
\begin{pmatrix} 1/2 \\ 3 \end{pmatrix} | \begin{pmatrix} 0.5 \\ 3 \end{pmatrix}
\begin{pmatrix} 1 \\ x+1 \end{pmatrix} | \begin{pmatrix} 1 \\ 1+x \\ \end{pmatrix}
# equations and inequalities
x=2 | 2=x
y = 2x+3 | y = 3+2x
y = 2x+3 | 2x+3 = y
2x+3y=6 | 3y+2x=6
2x+3y=6 | 6 = 2x+3y
2x+3y=6 | 2x+3y-6=0
x^2+y^2=4 | y^2+x^2=4
x<2 | 2>x
x \le 5 | 5 \ge x
x \leqslant 5 | x <= 5
1<x<3 | 3>x>1
2x+y \ge 3 | y+2x \ge 3
x \ne 2 | 2 \neq x
f(x) = x^2+1 | 1+x^2
# numbers are as in values
5 | x = 5
\frac{1}{2} | 0.5
1,234 | 1234
0 | 0
# ratios, times, other bases
3:4 | 3 : 4
4:30 | 4:30
1010_2 | 1010_{2}
""",
    "text": r"""
# letters of choices
C | C
C | (C)
(C) | C
\text{(C)} | C
\text{(C)} | (C).
B | \boxed{B}
B | **B**
B | b
D | \textbf{D}
A | The answer is A.
A | \mathrm{A}
# words
\text{Evelyn} | Evelyn
\text{Evelyn} | $\text{Evelyn}$
even | Even
Yes | yes.
\text{ellipse} | ellipse
red balloon | red  balloon
Zürich | zürich
odd $n$ | odd n
""",
}

REJECT = {
    "value": r"""
# other numbers
18 | 19
18 | -18
5 | 50
0.5 | 0.05
1000 | 1,000,000
1/2 | 2
\frac{3}{8} | \frac{5}{16}
1\frac{1}{10} | 1\frac{1}{9}
123456789012345678901234567890 | 123456789012345678901234567891
# rounded
\frac{1}{3} | 0.333
\frac{1}{3} | 0.33333333333333333333
\frac{2}{3} | 0.6667
3.14159 | 3.1416
10000 | 9999.857142857143
0.1 | 0.10000000001
# not evaluated
3 | 1+2
3 | 4-1
720 | 6!
6 | 2*3
6 | 2 \cdot 3
6 | 2(3)
8 | 2^3
1000 | 10^3
3 | \sqrt{9}
3 | 6/2
3 | \frac{6}{2}
3 | 3/1
\frac{1}{2} | 2/4
\frac{1}{2} | 3/6
\frac{1}{2} | \frac{0.5}{1}
0.5 | 1/4+1/4
0 | x-x
0 | x^2 - x^2
1 | \sin^2 x + \cos^2 x
1 | x^0
5 | |-5|
5 | --5
5 | -(-5)
120 | \binom{10}{3}
3 | \log_2 8
2 | \lfloor 2.5 \rfloor
6 | \gcd(12, 18)
1 | -e^{i\pi}
720 | 72 \times 10^1
720 | 0.72 * 10^3
0.1 | 1/10\%
\frac{1}{2} | \sin 30^\circ
5 | 15/3
3 | \frac{12}{4}
7 | 7!/6!
28 | \sqrt{34}+3\sqrt{10}
# dumps
3 | 3 or 4
3 | 3, 4
3 | 3, 4, 5
3 | 3; 4
3 | 4 and 3
3 | \{3\}
3 | \{3,4\}
3 | (3,4)
3 | 3, 3
3 | \pm 3
3 | x = 3 or x = 4
3 | \boxed{3} or \boxed{4}
3 | \boxed{4} \boxed{3}
3 | $3$ or $4$
3 | 3 < x < 4
3 | x > 2
3 | x = 3 = 4
3 | 3 = 4
3 | [3,4]
# per cent
10\% | 10
10 | 10\%
0.1 | 0.1\%
50 | 0.5%
# units
10\text{ cm} | 10 km
10\text{ cm} | 10\text{ km}
10 cm | 10 cm^2
5 feet | 5 inches
3 hours | 3 minutes
60 mph | 60 km/h
90^\circ | 90 radians
\$5 | 5 cents
5\text{ m} | 5 x
5 | 5x
# names
x = 5 | y = 5
x = 5 | 2x = 10
x = 5 | x + 2 = 7
AB = 5 | BC = 5
a_1 = 5 | a_2 = 5
5 | x < 5
5 | x \ne 5
# words
5 | five
5 | V
10 | 1010_2
3/4 | 3:4
""",
    "expression": r"""
# other formulas
x+1 | x-1
x+1 | x+2
x+1 | y+1
x | X
2x | 2y
x^2 | x^3
x^2 | 2^x
a_1 | a_2
\sqrt{2} | \sqrt{3}
\sqrt{2} | 1.41421356
\sqrt{2} | 1.414213562373095048801688724209698
2\pi | 6.28
\pi | 22/7
\pi | 3.14159265358979323846
e | 2.718281828459045
\frac{\pi}{2} | 90^\circ
\sqrt{x^2} | x
|x| | x
\sqrt[3]{x} | \sqrt{x}
\ln x | \log_2 x
\sin x | \cos x
\sin x^2 | \sin^2 x
\frac{1}{x+1} | \frac{1}{x}+1
2x+1 | 2(x+1)
-x^2 | (-x)^2
f(x) | g(x)
3+4i | 3-4i
3+4i | 3+4
e^{\pi\sqrt{163}} | 262537412640768744
\sqrt{2} | 1.0000000000000000000000000000000000000000000000000000000000000000000001\sqrt{2}
# far too small or too large for ordinary digits
1/2006! | 1/2004!
\frac{1}{2006!} | \frac{1}{2006!+1}
\frac{1}{1000!} | 0
3^{2025} | 2^{2025}
2^{2025} | 2^{2025}+1
10^{-400} | 10^{-401}
\binom{2026}{1013} | \binom{2026}{1012}
# equal, but not worked out
2\sqrt{2} | \sqrt{50}-\sqrt{18}
8\sqrt{2} | (3+5)\sqrt{2}
8\sqrt{2} | 2 \cdot 4\sqrt{2}
2\sqrt{2} | \frac{4\sqrt{2}}{2}
\frac{1+\sqrt{5}}{2} | \frac{2+2\sqrt{5}}{4}
x | 1 \cdot x
1024\pi | 2^{10}\pi
6\pi | 3!\pi
2\pi | \sqrt{4}\pi
2\pi | \pi+\pi
x^5 | x^2 x^3
x^5 | x \cdot x^4
x^6 | (x^2)^3
x | \frac{x^2}{x}
x | x^1
x+1 | \frac{2x+2}{2}
2x | x+x
x^2+2x+1 | x^2+x+x+1
x^2+2x+1 | (x+1)^2
(x+1)^2 | x^2+2x+1
(x-1)(x+1) | x^2-1
x^2-1 | (x-1)(x+1)
x(x+1) | x^2+x
x^2+x | x(x+1)
x+2 | \frac{x^2+4x+4}{x+2}
\frac{x+y}{xy} | \frac{1}{x}+\frac{1}{y}
\sin 2x | 2\sin x\cos x
1 | \sin^2 x+\cos^2 x
\ln 6 | \ln 2+\ln 3
\frac{\sqrt{3}}{2}\pi | \pi\sin 60^\circ
96-10\sqrt{21} | \frac{6\sqrt{1789-240\sqrt{21}}+8\sqrt{1236-240\sqrt{21}}}{5}
(3, 6) | (1+2, 6)
\{3, 6\} | \{3, 3!\}
(2, \frac{1}{2}) | (2, \frac{2}{4})
# brackets and order
(1,2) | \{1,2\}
\{1,2\} | (1,2)
(1,2) | [1,2]
(1,2) | [1,2)
(1,2) | 1, 2
1, 2 | (1,2)
(1,2) | (2,1)
[1,2] | [2,1]
(1,2) | (1,2,3)
(1,2) | \begin{pmatrix} 1 \\ 2 \end{pmatrix}
(1,2) | 1 < x < 2
(-\infty,3) | (-\infty,3]
(-\infty,3) | (3,\infty)
(-\infty,3) | x \le 3
(-\infty,3) | x > 3
(-\infty,1)\cup(2,\infty) | (-\infty,1)
(-\infty,1)\cup(2,\infty) | (-\infty,1),(2,\infty)
(-\infty,1)\cup(2,\infty) | x < 1 \text{ or } x \ge 2
\begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix} | \begin{pmatrix} 1 & 3 \\ 2 & 4 \end{pmatrix}
\begin{pmatrix} 1 & 2 \end{pmatrix} | \begin{pmatrix} 1 \\ 2 \end{pmatrix}
\begin{pmatrix} 3 & 2 \end{pmatrix} | \begin{pmatrix} 1+2 & 2 \end{pmatrix}
(1,200) | 1200
# lists
1, 2 | 1
1, 2 | 1, 3
1, 2 | 1, 2, 3
1, 2 | 1, 1
1, 1, 2 | 1, 2, 2
1, 2 | 1+2
3, -3 | 3
\pm 3 | 3
\pm 3 | \pm 4
3\pm\sqrt{2} | 3+\sqrt{2}
3\pm\sqrt{2} | 2\pm\sqrt{3}
x=2, y=3 | 2, 3
x=2, y=3 | x=3, y=2
x=2, y=3 | 3, 2
1, 2 | x=1, y=2
x=1, x=2 | y=1, y=2
\emptyset | 0
\{0\} | \emptyset
# infinity
\infty | -\infty
\infty | 10^{100}
\infty | 999999999
# equations and inequalities
y = 2x+3 | y = 2x-3
y = 2x+3 | 2y = 4x+6
y = 2x+3 | 2x - y + 3 = 0
y = 2x+3 | z = 2x+3
y = 2x+3 | 3x+2
2x+3y=6 | 4x+6y=12
2x+3y=6 | 2x+3y=-6
2x+3y=6 | 2x-3y=6
(x-2)^2+(y+1)^2=9 | x^2+y^2-4x+2y-4=0
x=5 | 3x+4=19
x<2 | x>2
x<2 | x \le 2
x<2 | 2x<4
x<2 | x=2
1<x<3 | 1<x \le 3
1<x<3 | 1<x
x \ne 2 | x = 2
# other writings
3:4 | 4:3
3:4 | 6:8
4:30 | 4:03
1010_2 | 1010_3
1010_2 | 1010
1010_2 | 10
""",
    "text": r"""
C | D
C | A or C
C | A, B, C, D
C | \boxed{A} \boxed{C}
\text{Evelyn} | Evelyn or Briana
\text{Evelyn} | Briana
even | odd
yes | no
red | reddish
odd $n$ | even $n$
""",
}

UNSCORED = {
    "value": r"""
# the gold answer is at fault
banana | 5
x+1 | 5
1+2 | 3
1, 2 | 1
\text{Evelyn} | 5
4:30p.. | 4:30
\frac{1}{0} | 5
# the answer cannot be read
5 | 1 2 3
5 | 5 5
5 | (5
5 | 5)
5 | \frac{5}
5 | 5 +
5 | 5 is wrong
5 | \foo 5
5 | \input{file}
5 | ?
5 | 5 ¿
5 | $
5 | \boxed{}
5 | __import__("os")
5 | 2\frac{7}{3}
5 | 5\text{ or maybe } 6
5 | \int_0^1 5 dx
""",
    "expression": r"""
\text{Evelyn} | \text{Evelyn}
odd $n$ | odd $n$
even | even
\forall x | \forall x
x' + \beta' | x' + \beta'
x+1 | x+
x^{12} | x^1 2
x+1 | x+1)
x+1 | \begin{cases} x \end{cases}
x+1 | 1/0
x+1 | \{x\} + 1
x+1 | (1,2) + x
\frac{x}{0} | x
x | 9^{9^{9^9}}
x | 10^{10^{10}}
x | (((9^{99})^{99})^{99})
x | 99999!
x | 5!!!!!!
x | 3!!!
x | \binom{99999}{5}
x | x_{
""",
    "text": r"""
C | ...
. | C
C | ()
""",
}

GOLDS = [
    line
    for line in r"""
0
-12
3.5
\frac{14}{3}
-\frac{1}{2}
2\frac{3}{4}
12\%
1,234
6.02 \times 10^{23}
0.\overline{142857}
10\text{ cm}
\$32.50
120^\circ
3\sqrt{13}
\sqrt{51}
\frac{\sqrt{3}}{3}
\frac{5\sqrt{2}}{2}
6 - 5i
5\sqrt{5}
1 \pm \sqrt{19}
\pi
13535_{6}
36
p - q
\frac{3}{56}
\left( 3, \frac{\pi}{2} \right)
x^3+3x-6
(5,\infty)
[-2,7]
(-2,1)
(0,9) \cup (9,36)
\left(\frac{3}{5},\frac{8}{3}\right]
\{-2, 1, 3\}
1,-2
-2 + 7i
(6,31,-1)
\begin{pmatrix} -1/3 \\ 2/3 \\ 5/3 \end{pmatrix}
\begin{pmatrix} 16/49 & 48/49 & 24/49 \\ 48/49 & -5/49 & -1/49 \end{pmatrix}
y = 3x - 4
x^2 + y^2 = 25
2x + 3y \le 6
-1 < x \le 4
x \ne \pm 2
3(2+x)(2-x)
4x^3 - 15x^2 + 27x - 12
\frac{3x^2+1}{x-2}
2^{2k}
2k+2
\frac{270}{7}\text{ degrees}
11\sqrt{5} + 11
\frac{1}{2004!}
2024^{4046}
\binom{50}{25}
10!
\ln 3
\log_3 7
\arctan \frac{1}{2}
e^{-2}
\frac{\pi^2}{6}
\cos^2 \theta
\sin(x+y)
\lfloor x \rfloor
|x - 3|
\frac{a+b}{a-b}
n(n+1)(2n+1)
\frac{n(n+1)}{2}
a_n = 2n - 1
f(x) = 2x + 1
f^{-1}(x) = \sqrt[3]{x-1}
g(f(x))
\alpha + \beta + \gamma
x_1 x_2
\infty
-\infty
\emptyset
\mathbb{R}
x = 3, y = -1
(1,2), (3,4)
3:4:5
\text{Area} = 12
\sqrt[4]{x^2+1}
\frac{1}{\sqrt{x}+1}
\gcd(a, b)
\max(x, y)
""".strip().splitlines()
]


def cases(table: dict[str, str]) -> list[tuple[str, str, str]]:
    """Gold, answer and form of every case."""
    return [
        (line.split(" | ")[0], line.split(" | ", 1)[1], form)
        for form, block in table.items()
        for line in block.splitlines()
        if line.strip() and not line.startswith("# ")
    ]
