import { expect, test } from 'vitest';
import { onlineOf } from './status-payload.ts';

const said = (text: string) => onlineOf(Buffer.from(text));

test('what devices and gateways of this field write as their status is understood', () => {
  for (const text of [
    'online',
    ' Online ',
    '1',
    'true',
    '"online"',
    '{"online":true}',
    '{"status":"ONLINE","ip":"x"}',
    '{"state":1}',
  ])
    expect(said(text), text).toBe(true);
  for (const text of ['', 'offline', '0', 'false', '{"connected":false}', '{"status":"disconnected"}'])
    expect(said(text), text).toBe(false);
});

test('anything else says neither', () => {
  for (const text of [
    'hello',
    '{',
    '[]',
    '{}',
    '{"status":{}}',
    'null',
    '2',
    '{"toString":1}',
    'toString',
    'x'.repeat(5_000),
    '\u00ff',
  ])
    expect(said(text), text).toBeUndefined();
  expect(onlineOf(Uint8Array.of(0xff, 0xfe))).toBeUndefined();
});
