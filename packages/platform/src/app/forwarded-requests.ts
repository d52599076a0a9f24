import type { ClientRequest, RequestAnswer, RequestHandler } from '../broker/requests.ts';
import { DevicePrincipal } from '../identity/device-principal.ts';
import { isDeviceId } from '../kernel/device-id.ts';
import type { LogLines } from '../kernel/log-lines.ts';
import type { ThreadCaller } from '../kernel/thread-channel.ts';
import { isProvisioningTopic, rejectionOf } from '../provisioning/provisioning-topics.ts';
import type { ControlCalls } from './control-desk.ts';

/** Of one client at a time, as AWS IoT has it. */
const MAX_OF_A_CLIENT = 10;
/** Of all clients of a thread: main answers some hundred to thousands a second, and devices try again. */
const MAX_WAITING = 2_000;

/** Sends the requests of a gateway thread's clients to main. Too many are refused at once, so that none waits for long. */
export class ForwardedRequests implements RequestHandler {
  readonly #control: Pick<ThreadCaller<ControlCalls>, 'call'>;
  readonly #logLines: LogLines;
  readonly #ofClient = new Map<string, number>();
  #waiting = 0;

  constructor(control: Pick<ThreadCaller<ControlCalls>, 'call'>, logLines: LogLines) {
    this.#control = control;
    this.#logLines = logLines;
  }

  handles(topic: string): boolean {
    return isProvisioningTopic(topic);
  }

  async answer(request: ClientRequest): Promise<readonly RequestAnswer[]> {
    const { client, clientId, topic, payload, principal, remoteAddress } = request;
    const own = this.#ofClient.get(client) ?? 0;
    if (own >= MAX_OF_A_CLIENT || this.#waiting >= MAX_WAITING)
      return [rejectionOf(topic, 429, 'ThrottlingException', 'Too many requests: try again later')];
    this.#ofClient.set(client, own + 1);
    this.#waiting++;
    try {
      const deviceId = isDeviceId(principal.id) ? principal.id : undefined;
      const certificateId = principal.credentialId;
      const tokenHash = principal instanceof DevicePrincipal ? principal.tokenHash : undefined;
      const forwarded = { topic, payload, clientId, certificateId, deviceId, tokenHash, remoteAddress };
      return [await this.#control.call('answerRequest', forwarded)];
    } catch (error) {
      this.#logLines.error({ err: error, client: clientId, topic }, 'a request could not be answered');
      return [rejectionOf(topic, 500, 'InternalFailureException', 'The request could not be answered: try again later')];
    } finally {
      this.#waiting--;
      const left = (this.#ofClient.get(client) ?? 1) - 1;
      if (left === 0) this.#ofClient.delete(client);
      else this.#ofClient.set(client, left);
    }
  }
}
