import { expect, it } from 'vitest';
import { attributesBody, certificatesBody, readEstBody } from './est-messages.ts';

const der = Buffer.from(Array.from({ length: 100 }, (_, n) => n));

it.each([
  ['in one line', der.toString('base64')],
  ['in lines, as MIME has them', der.toString('base64').replaceAll(/.{64}/g, '$&\r\n')],
  ['with tabs and spaces anywhere', `\t ${der.toString('base64').replaceAll(/.{10}/g, '$& \n')}\n\n`],
])('a body is read %s (RFC 8951, section 3.1)', (_, text) => {
  expect(readEstBody(Buffer.from(text))).toEqual(der);
});

it.each([
  ['nothing', '', 'empty'],
  ['PEM', '-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n', 'PEM'],
  ['DER', der.toString('latin1'), 'base64'],
  ['other base64', 'AAA', 'base64'],
  ['base64url', '_-_-', 'base64'],
  ['too much', Buffer.alloc(20_000).toString('base64'), '16384'],
])('%s is refused, with the reason', (_, text, why) => {
  expect(() => readEstBody(Buffer.from(text, 'latin1'))).toThrow(why);
});

it('what is no body at all is refused', () => {
  for (const body of [undefined, null, {}, 'AAAA']) expect(() => readEstBody(body)).toThrow('empty');
});

it('answers are base64 in lines', () => {
  for (const body of [certificatesBody([]), attributesBody()]) expect(body).toMatch(/^([A-Za-z0-9+/=]{1,64}\n)+$/);
});
