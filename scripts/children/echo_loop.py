user_input = ""

while user_input != "quit":
    user_input = input("Enter text: ")
    print(user_input)
