username = input("Enter your name: ")
print(f"You entered the name {username}")
