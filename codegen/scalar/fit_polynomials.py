#!/usr/bin/env python3
"""Writes polynomials.h: coefficients of expand.cpp and of codegen/llvm/angles.cpp, by weighted interpolation at Chebyshev nodes in 60 digits (needs mpmath).

    python3 codegen/scalar/fit_polynomials.py > codegen/scalar/polynomials.h
"""
from mpmath import mp, mpf, exp, log, sin, cos, tanh, atan, erf, erfc, sqrt, pi, matrix, lu_solve

mp.dps = 60


def fit(function, low, high, degree, weight=lambda x: 1):
    """Coefficients c with sum c[i] x^i ~ function(x), error equalised where `weight` is the allowed error."""
    n = degree + 1
    nodes = [(low + high) / 2 + (high - low) / 2 * cos(pi * (2 * i + 1) / (2 * n + 2)) for i in range(n + 1)]
    signs = [(-1) ** i for i in range(n + 1)]
    for _ in range(12):  # Remez: solve for an alternating error, then move the nodes to its extrema
        a = matrix(n + 1, n + 1)
        rhs = matrix(n + 1, 1)
        for r, x in enumerate(nodes):
            for c in range(n):
                a[r, c] = x ** c
            a[r, n] = signs[r] * weight(x)
            rhs[r] = function(x)
        solution = lu_solve(a, rhs)
        coefficients = [solution[i] for i in range(n)]

        def error(x):
            return (sum(c * x ** i for i, c in enumerate(coefficients)) - function(x)) / weight(x)

        grid = [low + (high - low) * i / mpf(400) for i in range(401)]
        values = [error(x) for x in grid]
        segments, current = [], [0]
        for i in range(1, len(grid)):
            if values[i] * values[current[-1]] < 0:
                segments.append(current)
                current = []
            current.append(i)
        segments.append(current)
        peaks = [grid[max(s, key=lambda i: abs(values[i]))] for s in segments]
        if len(peaks) != n + 1:
            break
        nodes = peaks
        signs = [(-1) ** i for i in range(n + 1)]
    return coefficients, max(abs(v) for v in values)




def safe(function, limit):
    return lambda x: function(x) if abs(x) > mpf(10) ** -12 else limit


def show(name, comment, result, single):
    coefficients, error = result
    print(f"// {comment}; largest weighted error {float(error):.1e}")
    print(f"inline constexpr double {name}[] = {{")
    text = [repr(float(c)) for c in coefficients]
    line = "   "
    for t in text:
        if len(line) + len(t) > 115:
            print(line)
            line = "   "
        line += f" {t},"
    print(line.rstrip(",") + "};\n")


def main():
    half = log(2) / 2
    print("// Written by fit_polynomials.py; coefficients from the constant term up.\n#pragma once\n\nnamespace lapis::scalar {\n")
    rest = safe(lambda x: (exp(x) - 1 - x) / x ** 2, mpf(1) / 2)
    show("kExp", "exp(x) = 1 + x + x^2 p(x) for |x| <= ln(2)/2", fit(rest, -half, half, 4, lambda x: exp(x) / max(x * x, mpf("1e-3"))), True)
    show("kExpDouble", "the same for double", fit(rest, -half, half, 11, lambda x: exp(x) / max(x * x, mpf("1e-3"))), False)
    low, high = sqrt(mpf(1) / 2) - 1, sqrt(mpf(2)) - 1
    show("kLog", "log(1 + x) = x - x^2/2 + x^3 p(x) for 1 + x in [sqrt(1/2), sqrt(2)]",
         fit(safe(lambda x: (log(1 + x) - x + x * x / 2) / x ** 3, mpf(1) / 3), low, high, 8, lambda x: mpf(1) / max(x * x, mpf("1e-3"))), True)
    square = mpf("0.02944")  # of (m - 1) / (m + 1) at m = sqrt(2)
    show("kLogDouble", "log((1 + s) / (1 - s)) = 2 s + s^3 p(s^2)",
         fit(safe(lambda z: (log((1 + sqrt(z)) / (1 - sqrt(z))) / sqrt(z) - 2) / z, mpf(2) / 3), mpf("1e-9"), square, 8), False)
    show("kTanh", "tanh(x) = x + x^3 p(x^2) for |x| <= 0.625",
         fit(safe(lambda z: (tanh(sqrt(z)) / sqrt(z) - 1) / z, -mpf(1) / 3), mpf("1e-9"), mpf("0.390625"), 5), True)
    show("kErf", "erf(x) = x + x p(x^2) for |x| <= 1",
         fit(lambda z: erf(sqrt(z)) / sqrt(z) - 1, mpf("1e-9"), mpf(1), 6), True)
    show("kErfTail", "-log(1 - erf(x)) = p(x) for 1 <= x <= 4", fit(lambda t: -log(erfc(t)), mpf(1), mpf(4), 7, lambda t: 1 / erfc(t)), True)
    normal = lambda u: (lambda x: log(erfc(x / sqrt(mpf(2))) / 2) + x * x / 2 - log(u))((1 / u - 1) / mpf("0.33"))
    show("kNormalTail", "log of the normal distribution function at -x = p(u) + log(u) - x^2/2 with u = 1/(1 + 0.33 x) for 0 <= x <= 14.5",
         fit(normal, 1 / mpf("5.785"), mpf(1), 9), True)
    quarter = (pi / 4 + mpf("1e-6")) ** 2
    show("kSin", "sin(x) = x + x^3 p(x^2) for |x| <= pi/4",
         fit(safe(lambda z: (sin(sqrt(z)) / sqrt(z) - 1) / z, -mpf(1) / 6), mpf("1e-9"), quarter, 6), False)
    show("kCos", "cos(x) = 1 - x^2/2 + x^4 p(x^2) for |x| <= pi/4",
         fit(safe(lambda z: (cos(sqrt(z)) - 1 + z / 2) / z ** 2, mpf(1) / 24), mpf("1e-6"), quarter, 6), False)
    show("kAtan", "atan(x) = x + x^3 p(x^2) for |x| <= tan(pi/8)",
         fit(safe(lambda z: (atan(sqrt(z)) / sqrt(z) - 1) / z, -mpf(1) / 3), mpf("1e-9"), (sqrt(mpf(2)) - 1) ** 2, 12), False)
    print("}  // namespace lapis::scalar")


main()
