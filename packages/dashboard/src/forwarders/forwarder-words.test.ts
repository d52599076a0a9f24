import { expect, it } from 'vitest';
import { filterText, forwarderState, lagText, targetText, troubleOf } from './forwarder-words.ts';

const state = {
  lagRecords: 0,
  lagSeconds: 0,
  lagBytes: 0,
  sent: 0,
  sentBytes: 0,
  failures: 0,
  filtered: 0,
  skipped: 0,
  undecodable: 0,
  refused: 0,
  lastRefusal: undefined,
  health: 'well',
  circuit: 'closed',
  lastError: undefined,
  lastSentMs: undefined,
};

it('says where each kind of target is', () => {
  expect(targetText({ kind: 'webhook', url: 'https://a/b' })).toEqual({ kind: 'webhook', place: 'https://a/b' });
  expect(targetText({ kind: 'kafka', brokers: ['a:1', 'b:2'], topic: 't' })).toEqual({ kind: 'Kafka', place: 'a:1, b:2 · t' });
  expect(targetText({ kind: 'influxdb', url: 'http://i', database: 'd' }).place).toBe('http://i · d');
  expect(targetText({ kind: 'mqtt', url: 'mqtt://m' }).place).toBe('mqtt://m');
});

it('tells paused, sending, trying again and away apart', () => {
  const of = (circuit: string, paused = false) => forwarderState({ paused, state: { ...state, circuit } }).text;
  expect([of('closed'), of('closed', true), of('retrying'), of('half-open'), of('open')]).toEqual([
    'sending',
    'paused',
    'trying again',
    'trying the target',
    'target is away',
  ]);
  expect(forwarderState({ paused: false, state: undefined }).text).toBe('starting');
});

it('a target that refuses all records is not said to be sent to, and what it says is shown', () => {
  const said = { lastRefusal: { message: 'no such tenant', atMs: 1 }, lastError: { message: 'timed out', atMs: 1 } };
  const refusing = { ...state, ...said, health: 'refusing' };
  expect(forwarderState({ paused: false, state: refusing })).toEqual({ tone: 'bad', text: 'target refuses records' });
  expect(forwarderState({ paused: true, state: refusing }).text).toBe('paused');
  expect(troubleOf(refusing)).toBe('no such tenant');
  expect(troubleOf({ ...state, ...said })).toBeUndefined();
  expect(troubleOf({ ...state, ...said, circuit: 'open' })).toBe('timed out');
});

it('says how far it is behind', () => {
  expect(lagText(state)).toBe('none');
  expect(lagText({ lagRecords: 3, lagSeconds: 90 })).toBe('90 s');
  expect(lagText({ lagRecords: 3, lagSeconds: 3 * 3600 })).toBe('3 h');
  expect(lagText({ lagRecords: 3, lagSeconds: 5 * 86_400 })).toBe('5 d');
});

it('says what is sent', () => {
  expect(filterText({})).toBe('everything');
  expect(filterText({ types: ['a', 'b'], group: '/x', topics: [] })).toBe('group /x · types a, b');
});
