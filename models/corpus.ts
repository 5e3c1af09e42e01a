// The text that the fixture tokenizers are trained on, written for this purpose: plain English, a little code, JSON and digits.

export const corpus = `The engine reads a prompt and writes one token after another. Each token is a small piece of text, and a stream of tokens becomes an answer.
A worker holds the model in memory. The router looks at the prompt, finds the worker that has seen the beginning of it before, and sends the request there.
When the cache is warm, the first token comes quickly. When the cache is cold, the worker must read the whole prompt again.
Once upon a time there was a small model that wanted to tell a long story. It knew only a few words, but it used them with care, and people liked to listen.
The morning was quiet. A red bird sat on the old stone wall and looked over the garden. Two children came down the path with a basket of apples and bread.
"Where are you going?" asked the bird. "We are going to the river," said the girl, "because the water is clear and the sun is warm today."
They walked for an hour. On the way they met a farmer, a dog, three horses, and a man who sold books. He gave them a book about the stars and the sea.
I don't know what the weather will be tomorrow, but I think it'll rain. We've seen clouds in the west, and they're moving fast. You shouldn't go without a coat.
What is the capital of France? The capital of France is Paris. What is the largest city in Japan? It is Tokyo. London is the capital of England, and Berlin is the capital of Germany.
How do I write a function that adds two numbers? Here is an example in Python, and the same thing in TypeScript:
def add(first, second):
    return first + second

for index in range(10):
    if index % 2 == 0:
        print("even", index)
    else:
        print("odd", index)

export function add(first: number, second: number): number {
  const result = first + second;
  return result;
}
import json, os, sys
{"name": "get_weather", "arguments": {"city": "Paris", "unit": "celsius", "days": 3}}
{"type": "object", "properties": {"name": {"type": "string"}, "value": {"type": "number"}}, "required": ["name", "value"]}
[{"id": 1, "text": "hello", "done": true}, {"id": 2, "text": "world", "done": false}, {"id": 3, "text": null}]
system
You are a helpful assistant. Answer the question of the user in clear and simple words. If you do not know the answer, say so.
user
Please tell me a story about a house by the sea, and explain why the light changes during the day.
assistant
The house stood on a hill above the sea. In the morning the light was pale and blue; at noon it was white; in the evening everything turned gold and then red.
Light changes because the path of the sun through the air changes. When the sun is low, the path is long, and the air takes away more of the blue.
tool
First, think about the problem. Second, make a plan. Third, try it, and look at what happened. Then change one thing and try again.
Numbers: 0 1 2 3 4 5 6 7 8 9 10 11 12 20 30 42 50 64 100 128 256 512 1000 1024 2024 2025 3.14 99% $5.00 +1 -1 10:30 2026-11-21
one two three four five six seven eight nine ten eleven twelve hundred thousand million
Monday Tuesday Wednesday Thursday Friday Saturday Sunday January February March April May June July August September October November December
Some people think that machines will do all the work. Other people think that there will always be something left for us to do. Perhaps both of them are right.
A good test fails when the code is wrong, and passes when the code is right. A bad test does neither, and nobody knows which kind they have until something breaks.
We should measure before we change anything, and measure again after. The number that matters is the one that the user can feel: how long it takes until the answer begins.
There is no need to hurry. The train leaves at ten, and the station is near. Let us have another cup of tea and talk about the book that you were reading last night.
The teacher asked the students to write down everything they could remember. Most of them wrote about the summer; one of them wrote about the winter and the snow.
Every morning she opened the window, watered the plants, fed the cat, and made coffee. Then she sat at her desk and worked until the sun was over the roof.
The ship sailed across the ocean for forty days. The captain kept a careful record of the wind, the waves, and the fish that followed them through the night.
In the middle of the forest there is a lake, and in the middle of the lake there is an island, and on the island there is a tree that is older than any story.
Error: the request could not be completed because the connection was closed. Please check the address and the port, and try again in a few seconds.
The quick brown fox jumps over the lazy dog, and then the dog gets up and runs after the fox through the field until both of them are tired.
`
