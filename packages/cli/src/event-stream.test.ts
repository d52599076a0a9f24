import { expect, test } from 'vitest';
import { readEvents, type ServerEvent } from './event-stream.ts';

async function eventsOf(pieces: readonly Uint8Array[]): Promise<ServerEvent[]> {
  const events: ServerEvent[] = [];
  for await (const event of readEvents(new Response(ReadableStream.from(pieces)))) events.push(event);
  return events;
}

const STREAM = Buffer.from(
  'retry: 2000\n\n: heartbeat\n\nevent: stats\ndata: {"a":1}\n\ndata: one\ndata: two\n\nevent: update\ndata: "grün"\n\nevent: cut\ndata: {',
);
const EVENTS = [
  { event: 'stats', data: '{"a":1}' },
  { event: 'message', data: 'one\ntwo' },
  { event: 'update', data: '"grün"' },
];

test('it gives events with data, joins their lines, and leaves comments and an unfinished end out', async () => {
  expect(await eventsOf([STREAM])).toEqual(EVENTS);
});

test('where the stream is cut into pieces makes no difference, not even inside of a character', async () => {
  expect(await eventsOf([...STREAM].map((byte) => Uint8Array.of(byte)))).toEqual(EVENTS);
});

test('an answer without a body has no events', async () => {
  const events: ServerEvent[] = [];
  for await (const event of readEvents(new Response(null))) events.push(event);
  expect(events).toEqual([]);
});
