import sys
import time
from random import randrange

delay = float(sys.argv[1])
user_input = ""

while user_input != "quit":
    user_input = input("Enter text: ")
    for i in range(randrange(10)):
        time.sleep(delay)
        print(user_input)
