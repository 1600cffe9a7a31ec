import sys
import time

n = int(sys.argv[1])
time.sleep(0.5)
print(f"the sum of 1..{n} is {sum(range(n + 1))}")
