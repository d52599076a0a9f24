import { expect, it } from 'vitest';
import { SseParser } from './sse-parser.ts';

const STREAM =
  ': hello\n\nevent: values\ndata: {"a":1}\n\nevent: stats\r\ndata: one\r\ndata: two\r\n\r\ndata:bare\n\nevent: empty\n\nid: 7\ndata: last\n\n';
const EVENTS = [
  { event: 'values', data: '{"a":1}' },
  { event: 'stats', data: 'one\ntwo' },
  { event: 'message', data: 'bare' },
  { event: 'message', data: 'last' },
];

it('reads events, joins data lines, and passes over comments and events without data', () => {
  expect(new SseParser().feed(STREAM)).toEqual(EVENTS);
});

it('reads the same from every split in two, and character by character', () => {
  for (let at = 0; at <= STREAM.length; at++) {
    const parser = new SseParser();
    expect([...parser.feed(STREAM.slice(0, at)), ...parser.feed(STREAM.slice(at))]).toEqual(EVENTS);
  }
  const parser = new SseParser();
  expect(Array.from(STREAM).flatMap((character) => parser.feed(character))).toEqual(EVENTS);
});

it('refuses a line without an end', () => {
  const parser = new SseParser();
  expect(() => {
    for (let i = 0; i < 10; i++) parser.feed('x'.repeat(1024 * 1024));
  }).toThrow(/too long/);
});
