import type { LookupFunction } from 'node:net';
import { expect, it } from 'vitest';
import { systemClock } from './clock.ts';
import { hookUrlFault, WebHooks } from './web-hooks.ts';

it.each([
  'http://169.254.169.254/latest/meta-data',
  'http://169.254.1.1:8080/',
  'http://2852039166/',
  'http://0xa9.0xfe.0xa9.0xfe/',
  'http://0251.0376.0251.0376/',
  'http://[::ffff:169.254.169.254]/',
  'http://[fe80::1]/',
  'http://[fd00:ec2::254]/',
  'http://100.100.100.200/',
])('no hook is at %s, however it is written', async (url) => {
  expect(hookUrlFault(url)).toBe('no hook may be at this address');
  await expect(new WebHooks({ clock: systemClock }).post(url, {})).rejects.toThrow('no hook may be');
});

it.each(['http://127.0.0.1:9000/', 'http://10.0.0.8/hook', 'http://[::1]/', 'https://hooks.example.com/'])(
  'one may be at %s',
  (url) => {
    expect(hookUrlFault(url)).toBeUndefined();
  },
);

it('a name that stands for such an address is not asked, whatever else it stands for', async () => {
  const found = [
    { address: '203.0.113.1', family: 4 },
    { address: '169.254.169.254', family: 4 },
  ];
  const lookup: LookupFunction = (_name, { all }, done) =>
    all === true ? done(null, found) : done(null, found[1]?.address ?? '', 4);
  await expect(new WebHooks({ clock: systemClock, lookup }).post('http://hook.example/', {})).rejects.toThrow(
    'hook.example has an address at which no hook may be',
  );
});
