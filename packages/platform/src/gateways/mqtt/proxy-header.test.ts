import { crc32c } from '@node-rs/crc32';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MAX_PROXY_HEADER_BYTES, readProxyHeader } from './proxy-header.ts';

const SIGNATURE = Buffer.from('0d0a0d0a000d0a515549540a', 'hex');
const IPV4 = Buffer.from('0a000007' + '7f000001' + 'd431' + '075b', 'hex');
const IPV6 = Buffer.from('20010db8000000000000000000000007' + '00000000000000000000000000000001' + 'd431' + '075b', 'hex');

/** A version 2 header. */
function v2(command: number, family: number, ...parts: readonly Buffer[]): Buffer {
  const rest = Buffer.concat(parts);
  const fixed = Buffer.concat([SIGNATURE, Buffer.of(command, family, rest.length >> 8, rest.length & 0xff)]);
  return Buffer.concat([fixed, rest]);
}

function tlv(type: number, value: Buffer): Buffer {
  return Buffer.concat([Buffer.of(type, value.length >> 8, value.length & 0xff), value]);
}

function withChecksum(wrongBy = 0): Buffer {
  const header = v2(0x21, 0x11, IPV4, tlv(3, Buffer.alloc(4)), tlv(0xea, Buffer.from('vpce-1')));
  const at = 16 + 12 + 3;
  header.writeUInt32BE((crc32c(header) ^ wrongBy) >>> 0, at);
  return header;
}

const VALID: readonly (readonly [Buffer, string | undefined])[] = [
  [Buffer.from('PROXY TCP4 10.0.0.7 127.0.0.1 54321 1883\r\n'), '10.0.0.7'],
  [Buffer.from('PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n'), '255.255.255.255'],
  [Buffer.from('PROXY TCP6 2001:DB8:0:0:0:0:0:7 ::1 54321 0\r\n'), '2001:db8::7'],
  [
    Buffer.from('PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n'),
    'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff',
  ],
  [Buffer.from('PROXY UNKNOWN\r\n'), undefined],
  [Buffer.from(`PROXY UNKNOWN ${'f'.repeat(91)}\r\n`), undefined],
  [v2(0x21, 0x11, IPV4), '10.0.0.7'],
  [v2(0x21, 0x21, IPV6), '2001:db8::7'],
  [v2(0x21, 0x11, IPV4, tlv(4, Buffer.alloc(7)), tlv(0x20, Buffer.alloc(300))), '10.0.0.7'],
  [withChecksum(), '10.0.0.7'],
  [v2(0x21, 0x31, Buffer.alloc(216, 'x')), undefined],
  [v2(0x21, 0x00), undefined],
  [v2(0x20, 0x00), undefined],
  [v2(0x20, 0x11, IPV4), undefined],
  [v2(0x20, 0x12, Buffer.alloc(3)), undefined],
];

const MALFORMED: readonly (string | Buffer)[] = [
  'PROXY TCP4 10.0.0.7 127.0.0.1 54321 1883\n',
  'PROXY TCP4 10.0.0.7 127.0.0.1 54321 1883 \r\n',
  'PROXY  TCP4 10.0.0.7 127.0.0.1 54321 1883\r\n',
  'PROXY TCP4 10.0.0.7 127.0.0.1 54321\r\n',
  'PROXY TCP4 10.0.0.7 127.0.0.1 65536 1883\r\n',
  'PROXY TCP4 10.0.0.7 127.0.0.1 01 1883\r\n',
  'PROXY TCP4 10.0.0.07 127.0.0.1 1 1883\r\n',
  'PROXY TCP4 ::1 ::1 1 1883\r\n',
  'PROXY TCP6 10.0.0.7 127.0.0.1 1 1883\r\n',
  'PROXY TCP6 fe80::1%1 ::1 1 1883\r\n',
  'PROXY UDP4 10.0.0.7 127.0.0.1 1 1883\r\n',
  'PROXY UNKNOWNX\r\n',
  'PROXY \r\n',
  `PROXY UNKNOWN ${'f'.repeat(92)}\r\n`,
  'PROXY UNKNOWN'.padEnd(107, ' '),
  '\x10\x0c\0\x04MQTT\x04\x02\0\x3c\0\0',
  'GET /mqtt HTTP/1.1\r\n',
  v2(0x22, 0x11, IPV4),
  v2(0x11, 0x11, IPV4),
  v2(0x21, 0x12, IPV4),
  v2(0x21, 0x10, IPV4),
  v2(0x21, 0x01),
  v2(0x21, 0x41, IPV6),
  v2(0x21, 0x11, IPV4.subarray(1)),
  v2(0x21, 0x21, IPV4),
  v2(0x21, 0x11, IPV4, Buffer.of(4, 0)),
  v2(0x21, 0x11, IPV4, Buffer.of(4, 0, 2, 0)),
  v2(0x21, 0x11, IPV4, tlv(3, Buffer.alloc(3))),
  v2(0x21, 0x11, IPV4, Buffer.alloc(MAX_PROXY_HEADER_BYTES)),
  withChecksum(1),
];

describe('a PROXY protocol header', () => {
  it('is read with the address that it tells, and only as far as it goes', () => {
    for (const [header, clientAddress] of VALID) {
      for (const after of ['', '\x10\0', '\r\n\r\n'])
        expect(readProxyHeader(Buffer.concat([header, Buffer.from(after, 'latin1')]))).toEqual({
          sizeBytes: header.length,
          clientAddress,
        });
    }
  });

  it('is incomplete at every truncation', () => {
    for (const [header] of VALID)
      for (let length = 0; length < header.length; length++)
        expect(readProxyHeader(header.subarray(0, length)), header.toString('latin1')).toBe('incomplete');
  });

  it('is taken in no other form', () => {
    for (const header of MALFORMED)
      expect(readProxyHeader(typeof header === 'string' ? Buffer.from(header, 'latin1') : header), String(header)).toBe(
        'malformed',
      );
  });

  it('is known to be none at its first wrong byte', () => {
    expect(readProxyHeader(Buffer.from('X'))).toBe('malformed');
    expect(readProxyHeader(Buffer.from('PROXZ'))).toBe('malformed');
    expect(readProxyHeader(SIGNATURE.subarray(0, 11))).toBe('incomplete');
    expect(readProxyHeader(Buffer.concat([SIGNATURE.subarray(0, 11), Buffer.of(0)]))).toBe('malformed');
  });

  it('gives one of three answers to any bytes, and never changes its mind as more come', () => {
    const mutated = fc
      .tuple(fc.constantFrom(...VALID.map(([header]) => header)), fc.array(fc.tuple(fc.nat(400), fc.nat(255)), { maxLength: 4 }))
      .map(([header, changes]) => {
        const copy = Buffer.concat([header, Buffer.from('tail')]);
        for (const [at, byte] of changes) copy[at % copy.length] = byte;
        return copy;
      });
    fc.assert(
      fc.property(
        fc.oneof(
          mutated,
          fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
        ),
        (bytes) => {
          let decided: ReturnType<typeof readProxyHeader> = 'incomplete';
          for (let length = 0; length <= bytes.length; length++) {
            const now = readProxyHeader(bytes.subarray(0, length));
            if (decided !== 'incomplete') expect(now).toEqual(decided);
            decided = now;
          }
          if (typeof decided === 'object') expect(decided.sizeBytes).toBeLessThanOrEqual(bytes.length);
        },
      ),
      { numRuns: 2_000 },
    );
  });
});
