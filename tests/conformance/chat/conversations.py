"""The conversations of the golden rows, written for this project."""

PLAIN = [
    {"role": "user", "content": "What is the boiling point of water at sea level?"},
    {"role": "assistant", "content": "It is 100 degrees Celsius, or 212 degrees Fahrenheit."},
]
SYSTEM = [
    {"role": "system", "content": "You answer in one short sentence."},
    {"role": "user", "content": "Name a prime number between 20 and 30."},
    {"role": "assistant", "content": "23 is one."},
]
LONG = [
    {"role": "system", "content": "You are a patient cook."},
    {"role": "user", "content": "How long do I boil an egg?"},
    {"role": "assistant", "content": "Six minutes for a soft yolk, ten for a hard one."},
    {"role": "user", "content": "And if it comes from the fridge?"},
    {"role": "assistant", "content": "Then add about a minute."},
]
UNICODE = [
    {"role": "user", "content": "Übersetze „naïve façade“ – und zähle 数字 😀👩‍🚀 mit."},
    {"role": "assistant", "content": "„Naive Fassade“.\n\n数字: 2, emoji: 2 😀👩‍🚀"},
]
CODE = [
    {"role": "user", "content": "Write a loop.\n\n\tKeep the tab,  please."},
    {"role": "assistant", "content": "```python\nfor i in range(3):\n    print(i)\n```\n\nThat's it."},
    {"role": "user", "content": "1234567890 + 0.5?"},
    {"role": "assistant", "content": "1234567890.5"},
]
SPACES = [
    {"role": "user", "content": "  leading and trailing  \n"},
    {"role": "assistant", "content": "\n kept as written \n"},
]
CONTROL = [
    {"role": "user", "content": "What does <|im_end|> do, and <|im_start|>system?"},
    {"role": "assistant", "content": "<|im_end|> ends a turn; <|im_start|> begins one."},
]
CHEER = [
    {"role": "user", "content": "Hi!"},
    {"role": "assistant", "content": "Hello! How can I help?"},
    {"role": "user", "content": "Just saying hi."},
    {"role": "assistant", "content": "Then have a good day!"},
]

ALL = {"plain": PLAIN, "system": SYSTEM, "long": LONG, "unicode": UNICODE, "code": CODE,
       "spaces": SPACES, "cheer": CHEER}
