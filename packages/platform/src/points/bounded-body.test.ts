import { PassThrough, Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { BoundedBodies } from './bounded-body.ts';

const limits = { maxBytes: 10_000, maxTotalBytes: 15_000 };
const stream = (bytes: Uint8Array): Readable => Readable.from([bytes]);

test('a body is the same packed or not', async () => {
  const bodies = new BoundedBodies(limits);
  const text = Buffer.from('cpu v=1\n'.repeat(100));
  for (const [bytes, encoding] of [
    [text, undefined],
    [text, 'identity'],
    [gzipSync(text), 'gzip'],
    [gzipSync(text), 'GZIP'],
  ] as const) {
    using body = await bodies.read(stream(bytes), encoding);
    expect(body.data.equals(text)).toBe(true);
  }
});

test('a body that unpacks to more than may be is refused while it is unpacked', async () => {
  const bodies = new BoundedBodies(limits);
  const bomb = gzipSync(Buffer.alloc(200_000_000));
  expect(bomb.length).toBeLessThan(200_000);
  const source = new PassThrough();
  for (let at = 0; at < bomb.length; at += 1000) source.write(bomb.subarray(at, at + 1000));
  source.end();
  const before = process.memoryUsage().rss;
  await expect(bodies.read(source, 'gzip')).rejects.toMatchObject({ code: 'request.too-large' });
  expect(process.memoryUsage().rss - before).toBeLessThan(100_000_000);
  // Nothing of it is counted any more.
  using body = await bodies.read(stream(Buffer.alloc(10_000)), undefined);
  expect(body.data).toHaveLength(10_000);
});

test('all bodies together are bounded; one that is done gives its place to the next', async () => {
  const bodies = new BoundedBodies(limits);
  const first = await bodies.read(stream(Buffer.alloc(9000)), undefined);
  await expect(bodies.read(stream(Buffer.alloc(9000)), undefined)).rejects.toMatchObject({
    code: 'telemetry.busy',
    retryable: true,
  });
  first[Symbol.dispose]();
  first[Symbol.dispose]();
  using second = await bodies.read(stream(Buffer.alloc(9000)), undefined);
  await expect(bodies.read(stream(Buffer.alloc(9000)), undefined)).rejects.toMatchObject({ code: 'telemetry.busy' });
  expect(second.data).toHaveLength(9000);
});

test('what a body is unpacked to by others counts as long as it is there', async () => {
  const bodies = new BoundedBodies(limits);
  expect(() => bodies.reserve(10_001)).toThrow(expect.objectContaining({ code: 'request.too-large' }));
  using packed = await bodies.read(stream(Buffer.alloc(100)), undefined);
  expect(packed.data).toHaveLength(100);
  const unpacked = bodies.reserve(10_000);
  expect(() => bodies.reserve(5_000)).toThrow(expect.objectContaining({ code: 'telemetry.busy', retryable: true }));
  await expect(bodies.read(stream(Buffer.alloc(5_000)), undefined)).rejects.toMatchObject({ code: 'telemetry.busy' });
  unpacked[Symbol.dispose]();
  unpacked[Symbol.dispose]();
  using next = bodies.reserve(10_000);
  expect(next).toBeDefined();
});

test('what is not what it says is refused', async () => {
  const bodies = new BoundedBodies(limits);
  await expect(bodies.read(stream(Buffer.from('no gzip')), 'gzip')).rejects.toMatchObject({ code: 'request.invalid' });
  await expect(bodies.read(stream(gzipSync('whole').subarray(0, 12)), 'gzip')).rejects.toMatchObject({ code: 'request.invalid' });
  await expect(bodies.read(stream(Buffer.from('x')), 'br')).rejects.toMatchObject({ code: 'request.unsupported-media-type' });
  const broken = new PassThrough();
  const read = bodies.read(broken, 'gzip');
  broken.destroy(new Error('aborted'));
  await expect(read).rejects.toMatchObject({ code: 'request.invalid' });
});
