"""Small programs that more than one file of tests on the language uses."""


def nested_exits(a, x, lo, hi):
    total = 0.0
    for i in range(len(a)):
        if a[i] < lo:
            continue
        for j in range(i, len(a)):
            if a[j] > hi:
                break
            if a[j] * x > 6.0:
                return total * 2.0 + a[j] * x
            k = 0
            while True:
                k += 1
                if k == 2:
                    continue
                total += a[i] * a[j] * x / k
                if k > j:
                    break
        total = total * 1.1
    return total + x


def scaled_by_int(x, n):
    return x * n


def weighted(a):
    total = 0.0
    for i in range(len(a)):
        total += a[i] * a[i] * (i + 1)
    return total
