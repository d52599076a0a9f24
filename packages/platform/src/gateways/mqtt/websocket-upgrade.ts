import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { Socket } from 'node:net';
import { WebSocketServer, type WebSocket } from 'ws';

/** Where MQTT is spoken. */
export const WEBSOCKET_PATH = '/mqtt';

export interface WebSocketUpgradeOptions {
  /** The longest message that is taken, bytes: it is put together before it is handed on. */
  readonly maxMessageBytes: number;
  /**
   * Refuses pages that another host has served: a browser lets any page open a WebSocket to this machine, which matters where
   * a client need not sign in.
   */
  readonly localPagesOnly: boolean;
  readonly onOpen: (webSocket: WebSocket, socket: Socket) => void;
  readonly onRefused: () => void;
}

/**
 * An HTTP server, without a port of its own, that upgrades `/mqtt` to a WebSocket of the subprotocol `mqtt` and has nothing
 * else: sockets are given to it as `connection` events.
 */
export function newWebSocketUpgrade({ maxMessageBytes, localPagesOnly, onOpen, onRefused }: WebSocketUpgradeOptions): Server {
  const webSockets = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: maxMessageBytes,
    skipUTF8Validation: true, // texts are refused whatever they say
    handleProtocols: (offered) => chooseProtocol(offered) ?? false,
  });
  const http = createServer({ maxHeaderSize: 8_192, keepAlive: false }, (request, response) => {
    const [status, text] =
      pathOf(request) === WEBSOCKET_PATH
        ? ([426, 'Here is MQTT over WebSocket: connect with an MQTT client.\n'] as const)
        : ([404, `MQTT over WebSocket is at ${WEBSOCKET_PATH}.\n`] as const);
    onRefused();
    response.writeHead(status, {
      'content-type': 'text/plain',
      connection: status === 426 ? 'close, upgrade' : 'close',
      ...(status === 426 ? { upgrade: 'websocket' } : {}),
    });
    response.end(text);
  });
  http.on('clientError', (_error, socket) => {
    onRefused();
    if (socket.writable) socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n');
    else socket.destroy();
  });
  http.on('upgrade', (request, socket: Socket, head) => {
    const refusal = refusalOf(request, localPagesOnly);
    if (refusal !== undefined) {
      onRefused();
      refuse(socket, refusal);
      return;
    }
    let opened = false;
    webSockets.handleUpgrade(request, socket, head, (webSocket) => {
      opened = true;
      onOpen(webSocket, socket);
    });
    if (!opened) onRefused(); // and answered: the request was no WebSocket handshake, or of another version
  });
  return http;
}

/** The client must offer `mqtt` [MQTT-6.0.0-3], and is answered it [MQTT-6.0.0-4]. `mqttv3.1` is what clients of old offer. */
function chooseProtocol(offered: ReadonlySet<string>): string | undefined {
  return ['mqtt', 'mqttv3.1'].find((protocol) => offered.has(protocol));
}

interface UpgradeRefusal {
  readonly status: string;
  readonly text: string;
}

function refusalOf(request: IncomingMessage, localPagesOnly: boolean): UpgradeRefusal | undefined {
  if (pathOf(request) !== WEBSOCKET_PATH)
    return { status: '404 Not Found', text: `MQTT over WebSocket is at ${WEBSOCKET_PATH}.` };
  const offered = (request.headers['sec-websocket-protocol'] ?? '').split(',').map((protocol) => protocol.trim());
  if (chooseProtocol(new Set(offered)) === undefined)
    return { status: '400 Bad Request', text: 'Offer the subprotocol mqtt (Sec-WebSocket-Protocol).' };
  if (localPagesOnly && request.headers.origin !== undefined && !isLocalOrigin(request.headers.origin))
    return { status: '403 Forbidden', text: 'Pages of other hosts may not connect to a server that is open to everyone.' };
  return undefined;
}

function isLocalOrigin(origin: string): boolean {
  const host = URL.canParse(origin) ? new URL(origin).hostname : '';
  return host === 'localhost' || host.endsWith('.localhost') || host === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(host);
}

function pathOf({ url = '' }: IncomingMessage): string {
  return url.split('?', 1)[0] ?? '';
}

/** What the client has sent is still read, so that the answer is not lost with it; the arrival's deadline ends the rest. */
function refuse(socket: Socket, { status, text }: UpgradeRefusal): void {
  socket.on('error', () => {});
  socket.resume();
  socket.end(
    `HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`,
  );
}
