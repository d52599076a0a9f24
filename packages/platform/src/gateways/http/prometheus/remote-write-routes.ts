import type { FastifyPluginAsync, FastifyReply } from 'fastify';
import { ERRORS, SelsynError } from '../../../kernel/errors.ts';
import type { LogLines } from '../../../kernel/log-lines.ts';
import type { Identities } from '../../../people/identities.ts';
import { inTurns, MAX_BODY_BYTES, type PointDoor, refusal } from '../../../points/point-door.ts';
import { callerOf } from '../door-caller.ts';
import { bodyOf, errorOf, takeRawBodies } from '../raw-body.ts';
import { DEVICE_LABELS, RemoteWriteProblems, writeSeries } from './remote-write.ts';
import { unpackedBytes, unpackSnappy } from './snappy.ts';
import { seriesOf } from './write-message.ts';

export interface RemoteWriteDependencies {
  readonly door: PointDoor;
  readonly identities: Pick<Identities, 'find'>;
  readonly logLines: LogLines;
}

/** Series that are written before others have their turn, and samples. */
const TURN_SERIES = 500;
const TURN_SAMPLES = 10_000;
const MAX_LABELS = 64;

/**
 * Prometheus remote write 1.0, as receiver: `POST /api/v1/write`, where Prometheus itself has it. What cannot be kept is answered with
 * 400, which senders do not repeat, once all the rest is durable; 5xx and 429 they repeat (specification, "Retries & Backoff").
 */
export function remoteWriteRoutes({ door, identities, logLines }: RemoteWriteDependencies): FastifyPluginAsync {
  return async (app) => {
    takeRawBodies(app);
    app.setErrorHandler((thrown, request, reply) => {
      const error = errorOf(thrown);
      const { status } = ERRORS[error.code];
      if (status >= 500) logLines.error({ err: error, code: error.code, method: request.method }, 'points could not be taken');
      if (error.retryable) reply.header('Retry-After', '1');
      return sendText(reply, status, error.code === 'internal' ? 'the request could not be served' : error.message);
    });

    app.post('/api/v1/write', { schema: { hide: true } }, async (request, reply) => {
      const caller = await callerOf(request, identities);
      door.ensureMayWrite(caller);
      const { headers, query } = request;
      if (headers['content-encoding']?.toLowerCase() !== 'snappy' || isVersion2(headers['content-type'])) {
        throw new SelsynError(
          'request.unsupported-media-type',
          'remote write 1.0 is taken here: a prometheus.WriteRequest, packed with snappy',
        );
      }
      const labels = deviceLabelsOf((query as Readonly<Record<string, unknown>>)['device_label']);
      using body = await door.bodies.read(bodyOf(request), undefined);
      using _unpacked = door.bodies.reserve(unpackedBytes(body.data));
      const data = unpackSnappy(body.data, MAX_BODY_BYTES);
      const writer = door.newWriter();
      const problems = new RemoteWriteProblems();
      const nowMs = door.clock.now();
      const series = seriesOf(data);
      await inTurns(() => {
        let samples = 0;
        for (let i = 0; i < TURN_SERIES && samples < TURN_SAMPLES; i++) {
          const next = series.next();
          if (next.done === true) return false;
          samples += next.value.samples.length;
          writeSeries(next.value, labels, nowMs, writer, problems);
        }
        return true;
      });
      door.countRefused('prometheus', problems.samples);
      const written = await door.write(writer, caller, 'prometheus');
      for (const refused of written.refused) problems.add(refused.samples, refusal(refused));
      if (problems.samples === 0) return reply.code(204).send();
      return sendText(reply, 400, `partial write: ${problems.messages.join('\n')} dropped=${problems.samples}`);
    });
  };
}

function isVersion2(contentType: string | undefined): boolean {
  return contentType !== undefined && /proto\s*=\s*"?io\.prometheus\.write\.v2/i.test(contentType);
}

/** @throws SelsynError `request.invalid` */
function deviceLabelsOf(parameter: unknown): readonly string[] {
  const named = [parameter].flat().flatMap((value) => (typeof value === 'string' ? value.split(',') : []));
  if (named.length > MAX_LABELS) throw new SelsynError('request.invalid', 'too many labels in "device_label"');
  return named.length === 0 ? DEVICE_LABELS : named;
}

function sendText(reply: FastifyReply, status: number, text: string): FastifyReply {
  return reply.code(status).header('Content-Type', 'text/plain; charset=utf-8').send(`${text}\n`);
}
