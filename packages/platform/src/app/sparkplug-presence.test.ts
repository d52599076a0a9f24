import { expect, test } from 'vitest';
import { SparkplugPresence } from './sparkplug-presence.ts';

function opened() {
  const heard: string[] = [];
  const presence = new SparkplugPresence((device, change, reason) => {
    heard.push(`${change > 0 ? '+' : '-'}${device}${reason === undefined ? '' : ` ${reason}`}`);
  });
  const say = (topic: string, client = 'c', principal = 'G:N') => presence.published(client, principal, `spBv1.0/G/${topic}`);
  const taken = (): string[] => heard.splice(0);
  return { presence, say, taken };
}

test('devices behind a node are there from their birth to their death, and as long as the node is', () => {
  const { presence, say, taken } = opened();
  say('NBIRTH/N');
  say('DBIRTH/N/A');
  say('DBIRTH/N/A');
  say('DBIRTH/N/B');
  say('DDATA/N/A');
  say('NCMD/N');
  expect(taken()).toEqual(['+G:N:A', '+G:N:B']);
  say('DDEATH/N/A');
  say('DDEATH/N/A');
  expect(taken()).toEqual(['-G:N:A said-offline']);
  say('NDEATH/N');
  expect(taken()).toEqual(['-G:N:B said-offline']);
  say('DBIRTH/N/A');
  presence.left('c');
  presence.left('c');
  expect(taken()).toEqual(['+G:N:A', '-G:N:A speaker-gone']);
});

test('a birth of the node ends those of its devices', () => {
  const { say, taken } = opened();
  say('DBIRTH/N/A');
  say('NBIRTH/N');
  expect(taken()).toEqual(['+G:N:A', '-G:N:A said-offline']);
});

test('a node that connects under another id is there by its births', () => {
  const { presence, say, taken } = opened();
  say('NBIRTH/N', 'c', 'plc-7');
  say('NBIRTH/N', 'c', 'plc-7');
  say('DBIRTH/N/A', 'c', 'plc-7');
  expect(taken()).toEqual(['+G:N', '+G:N:A']);
  presence.left('c');
  expect(taken()).toEqual(['-G:N speaker-gone', '-G:N:A speaker-gone']);
});

test('what one client says of more devices than there can be is passed over', () => {
  const { say, taken } = opened();
  for (let i = 0; i < 10_050; i++) say(`DBIRTH/N/D${i}`);
  expect(taken()).toHaveLength(10_000);
});

test('what one client says of ever new nodes takes no time or memory beyond that', () => {
  const { presence, say, taken } = opened();
  // Each looked at all before it: half a minute.
  for (let i = 0; i < 60_000; i++) say(`DBIRTH/N${i}/D`);
  expect(taken()).toHaveLength(10_000);
  for (let i = 0; i < 10_000; i++) say(`NDEATH/N${i}`);
  expect(taken()).toHaveLength(10_000);
  say('DBIRTH/N/D');
  expect(taken()).toEqual(['+G:N:D']);
  presence.left('c');
  expect(taken()).toEqual(['-G:N:D speaker-gone']);
});
