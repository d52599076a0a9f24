import { expect, test } from 'vitest';
import { traceLine } from './trace-line.ts';

const common = { atMs: Date.UTC(2026, 0, 31, 12, 30, 5, 7), thread: 'gateway-1', clientId: 'd1' };

test('a packet is a line: when, where, which way, who, what', () => {
  expect(
    traceLine({
      ...common,
      direction: 'in',
      packet: 'publish',
      topic: 'telemetry/d1',
      qos: 1,
      packetId: 7,
      retain: true,
      dup: false,
      sizeBytes: 75,
    }),
  ).toBe('12:30:05.007Z gateway-1 in  d1 PUBLISH telemetry/d1 QoS 1 id 7 retain 75 bytes');
  expect(traceLine({ ...common, direction: 'out', packet: 'suback', packetId: 3, codes: ['QoS 1', '0x87 not authorized'] })).toBe(
    '12:30:05.007Z gateway-1 out d1 SUBACK id 3 QoS 1, 0x87 not authorized',
  );
  expect(traceLine({ ...common, direction: 'in', packet: 'subscribe', packetId: 3, filters: ['a/# (QoS 1)', 'b (QoS 0)'] })).toBe(
    '12:30:05.007Z gateway-1 in  d1 SUBSCRIBE id 3 a/# (QoS 1), b (QoS 0)',
  );
  expect(traceLine({ ...common, direction: 'end', packet: 'closed', note: 'keep-alive' })).toBe(
    '12:30:05.007Z gateway-1 end d1 closed (keep-alive)',
  );
});

test('a payload is a line of its own, escaped, and says how long it was', () => {
  const event = { ...common, direction: 'in', packet: 'publish', topic: 'a\u001b[2J', qos: 0 } as const;
  expect(traceLine({ ...event, payloadBase64: Buffer.from('{"t":1}\n').toString('base64'), payloadBytes: 8 })).toBe(
    '12:30:05.007Z gateway-1 in  d1 PUBLISH a\\u{1b}[2J QoS 0\n    {"t":1}\\n',
  );
  expect(traceLine({ ...event, payloadBase64: 'eHg=', payloadBytes: 1000 })).toMatch(/\n {4}xx … \(1,000 bytes in all\)$/);
  expect(traceLine({ ...event, payloadBase64: '', payloadBytes: 0 })).toMatch(/\n {4}\(empty payload\)$/);
});
