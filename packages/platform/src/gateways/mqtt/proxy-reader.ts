import type { Socket } from 'node:net';
import { readProxyHeader } from './proxy-header.ts';

/**
 * Takes the PROXY header off a new socket and calls `onHeader` with the client's address, where the proxy told one; the socket
 * is paused then, and what followed the header is in front of it again. `onMalformed` is called at the first byte that is
 * wrong, or when the peer ends before the header does. The header is a few hundred bytes at most, and its deadline is the arrival's.
 */
export function takeProxyHeader(
  socket: Socket,
  { onHeader, onMalformed }: { readonly onHeader: (clientAddress: string | undefined) => void; readonly onMalformed: () => void },
): void {
  let got: Buffer | undefined;
  const stop = (): void => {
    socket.pause();
    socket.off('data', onData).off('end', onEnd);
  };
  const onEnd = (): void => {
    stop();
    onMalformed();
  };
  const onData = (chunk: Buffer): void => {
    got = got === undefined ? chunk : Buffer.concat([got, chunk]);
    const header = readProxyHeader(got);
    if (header === 'incomplete') return;
    stop();
    if (header === 'malformed') {
      onMalformed();
      return;
    }
    if (got.length > header.sizeBytes) socket.unshift(got.subarray(header.sizeBytes));
    onHeader(header.clientAddress);
  };
  socket.on('data', onData).on('end', onEnd);
}
