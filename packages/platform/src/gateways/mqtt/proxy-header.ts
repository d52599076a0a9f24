import { isIPv4, isIPv6, SocketAddress } from 'node:net';
import { crc32c } from '@node-rs/crc32';

/** What a PROXY protocol header says: how long it is, and whose connection this is. */
export interface ProxyHeader {
  /** Bytes of the header; what follows is the client's. */
  readonly sizeBytes: number;
  /** The client's address; undefined where the proxy speaks for itself or does not know (LOCAL, UNKNOWN, UNSPEC, Unix). */
  readonly clientAddress: string | undefined;
}

/** The longest header that is taken: 16 bytes, addresses, and the TLVs that a proxy adds (a certificate's name, an endpoint id). */
export const MAX_PROXY_HEADER_BYTES = 4_096;

/**
 * Reads the PROXY protocol header, version 1 or 2, that a stream begins with
 * (https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt, sections 2.1 and 2.2).
 *
 * ```
 * version 1:  "PROXY" SP ("TCP4" | "TCP6") SP source SP destination SP source-port SP destination-port CR LF
 *             "PROXY" SP "UNKNOWN" anything CR LF                                      107 bytes at most
 *
 * version 2:  0            12        13       14        16
 *             ┌────────────┬────┬────┬───┬────┬─────────┬───────────┬────────────────────────┐
 *             │ signature  │ 2  │cmd │fam│prot│ length  │ addresses │ TLVs: type 1, length 2 │
 *             └────────────┴────┴────┴───┴────┴─────────┴───────────┴────────────────────────┘
 *             cmd 0 LOCAL, 1 PROXY; fam 0 UNSPEC, 1 IPv4 (4+4+2+2), 2 IPv6 (16+16+2+2), 3 Unix (108+108); prot 0, 1 STREAM
 *             length: what follows it, big endian
 * ```
 * Strict: whoever connects may claim any address, so nothing that only resembles a header is taken. A wrong byte is seen as
 * soon as it is there, however little has come.
 */
export function readProxyHeader(bytes: Uint8Array): ProxyHeader | 'incomplete' | 'malformed' {
  if (beginsAlike(bytes, V2_SIGNATURE)) return bytes.length < V2_FIXED_BYTES ? 'incomplete' : readVersion2(bytes);
  if (beginsAlike(bytes, V1_SIGNATURE)) return readVersion1(bytes);
  return 'malformed';
}

const V1_SIGNATURE = Buffer.from('PROXY ');
const V1_MAX_BYTES = 107;
const V1_ADDRESSES = /^PROXY TCP([46]) ([\d.:a-fA-F]+) ([\d.:a-fA-F]+) (\d{1,5}) (\d{1,5})$/;
const V2_SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n');
const V2_FIXED_BYTES = 16;
const ADDRESS_BYTES: readonly number[] = [0, 12, 36, 216];
const TLV_CRC32C = 0x03;

/** True when `bytes` is the beginning of something that begins with `signature`. */
function beginsAlike(bytes: Uint8Array, signature: Buffer): boolean {
  const length = Math.min(bytes.length, signature.length);
  return signature.compare(bytes, 0, length, 0, length) === 0;
}

function readVersion1(bytes: Uint8Array): ProxyHeader | 'incomplete' | 'malformed' {
  const feed = bytes.subarray(0, V1_MAX_BYTES).indexOf(LINE_FEED);
  if (feed < 0) return bytes.length < V1_MAX_BYTES ? 'incomplete' : 'malformed';
  if (bytes[feed - 1] !== CARRIAGE_RETURN) return 'malformed';
  const line = Buffer.from(bytes.subarray(0, feed - 1)).toString('latin1');
  const sizeBytes = feed + 1;
  if (line === 'PROXY UNKNOWN' || line.startsWith('PROXY UNKNOWN ')) return { sizeBytes, clientAddress: undefined };
  const [, family, source = '', destination = '', ...ports] = V1_ADDRESSES.exec(line) ?? [];
  const isAddress = family === '4' ? isIPv4 : isIPv6;
  if (family === undefined || !isAddress(source) || !isAddress(destination) || !ports.every(isPort)) return 'malformed';
  return { sizeBytes, clientAddress: canonical(source, family === '4' ? 'ipv4' : 'ipv6') };
}

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;

function isPort(text: string): boolean {
  return Number(text) <= 65_535 && (text === '0' || !text.startsWith('0'));
}

function readVersion2(bytes: Uint8Array): ProxyHeader | 'incomplete' | 'malformed' {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const command = view.getUint8(12);
  const family = view.getUint8(13) >> 4;
  const protocol = view.getUint8(13) & 0x0f;
  const length = view.getUint16(14);
  if (command !== 0x20 && command !== 0x21) return 'malformed';
  const sizeBytes = V2_FIXED_BYTES + length;
  const addressBytes = ADDRESS_BYTES[family];
  if (addressBytes === undefined || sizeBytes > MAX_PROXY_HEADER_BYTES) return 'malformed';
  // LOCAL: the receiver must discard the protocol block with the family (section 2.2).
  const local = command === 0x20;
  if (!local && (protocol > 1 || (family === 0) !== (protocol === 0) || length < addressBytes)) return 'malformed';
  if (bytes.length < sizeBytes) return 'incomplete';
  if (local) return { sizeBytes, clientAddress: undefined };
  if (!validTlvs(bytes.subarray(0, sizeBytes), V2_FIXED_BYTES + addressBytes)) return 'malformed';
  return { sizeBytes, clientAddress: addressOf(view, family) };
}

function addressOf(view: DataView, family: number): string | undefined {
  if (family === 1) return [0, 1, 2, 3].map((at) => view.getUint8(V2_FIXED_BYTES + at)).join('.');
  if (family !== 2) return undefined;
  const groups = [0, 2, 4, 6, 8, 10, 12, 14].map((at) => view.getUint16(V2_FIXED_BYTES + at).toString(16));
  return canonical(groups.join(':'), 'ipv6');
}

/** True when the TLVs fill the rest of the header exactly, and its checksum, if there is one, is right. */
function validTlvs(header: Uint8Array, from: number): boolean {
  const view = new DataView(header.buffer, header.byteOffset, header.byteLength);
  let at = from;
  while (at < header.length) {
    if (at + 3 > header.length) return false;
    const length = view.getUint16(at + 1);
    const value = at + 3;
    if (value + length > header.length) return false;
    if (header[at] === TLV_CRC32C) {
      if (length !== 4) return false;
      const blank = Buffer.from(header);
      blank.fill(0, value, value + 4);
      if (crc32c(blank) !== view.getUint32(value)) return false;
    }
    at = value + length;
  }
  return true;
}

/** One spelling for each address. */
function canonical(address: string, family: 'ipv4' | 'ipv6'): string {
  return new SocketAddress({ address, family }).address;
}
