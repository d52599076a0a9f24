import type { TraceEventJson } from '@selsyn/platform/api/trace-source.ts';
import { printable, printableBytes } from './printable.ts';
import { counted } from './table.ts';

/** One packet in one line, and its payload in a second where it is shown. */
export function traceLine(event: TraceEventJson): string {
  const { atMs, thread, direction, clientId, packet, payloadBase64, payloadBytes = 0 } = event;
  const words = [
    new Date(atMs).toISOString().slice(11),
    thread,
    direction.padEnd(3),
    printable(clientId),
    packet === 'closed' ? 'closed' : packet.toUpperCase(),
    ...factsOf(event),
  ];
  const line = words.join(' ');
  if (payloadBase64 === undefined) return line;
  const bytes = Buffer.from(payloadBase64, 'base64');
  const cut = bytes.length < payloadBytes ? ` … (${counted(payloadBytes, 'byte')} in all)` : '';
  return `${line}\n    ${payloadBytes === 0 ? '(empty payload)' : printableBytes(bytes)}${cut}`;
}

function factsOf(event: TraceEventJson): string[] {
  const { topic, qos, packetId, retain, dup, filters, codes, note, sizeBytes } = event;
  const facts: string[] = [];
  if (topic !== undefined) facts.push(printable(topic));
  if (qos !== undefined) facts.push(`QoS ${qos}`);
  if (packetId !== undefined) facts.push(`id ${packetId}`);
  if (retain === true) facts.push('retain');
  if (dup === true) facts.push('dup');
  if (filters !== undefined) facts.push(filters.map(printable).join(', '));
  if (codes !== undefined && codes.length > 0) facts.push(codes.join(', '));
  if (note !== undefined) facts.push(`(${printable(note)})`);
  if (sizeBytes !== undefined) facts.push(counted(sizeBytes, 'byte'));
  return facts;
}
