import { expect, test } from 'vitest';
import { firstMessage } from './first-message.ts';

const DEVICE = { id: 'd1', token: 'T', mqttUrl: 'mqtt://127.0.0.1:1884' };
const PUBLISH = 'mosquitto_pub -h 127.0.0.1 -p 1884 -i d1 -u d1 -P T -q 1 -t telemetry/d1';

test.each([undefined, '', 'json'])('a device whose codec is %j may send JSON', (codec) => {
  expect(firstMessage({ ...DEVICE, type: 'pump', codec })).toBe(`${PUBLISH} -m '{"temperature":23.5}'`);
});

test('a device whose type is read otherwise is not told to send JSON, which would be a dead letter', () => {
  expect(firstMessage({ ...DEVICE, type: 'probe', codec: 'cbor' }).split('\n')).toEqual([
    `${PUBLISH} -f FILE`,
    'its type is read by cbor: selsyn decoder test --type probe --file FILE shows what a message becomes',
  ]);
});
