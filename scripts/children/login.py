import getpass

name = input("login: ")
if getpass.getpass("Password: ") != "open sesame":
    raise SystemExit("Login incorrect")
print(f"Welcome, {name}!")
while True:
    command = input("$ ")
    if command == "exit":
        break
    print(f"{command}: done")
