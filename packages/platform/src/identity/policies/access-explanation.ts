import { isValidTopicFilter, parseSharedFilter } from '@selsyn/wire/topics/topic-filter.ts';
import { isValidTopicName } from '@selsyn/wire/topics/topic-name.ts';
import type { Database } from '../../database/schema.ts';
import type { Clock } from '../../kernel/clock.ts';
import type { DeviceId } from '../../kernel/device-id.ts';
import { SelsynError } from '../../kernel/errors.ts';
import { faultOfCertificate, KnownCertificates } from '../certificate-credential.ts';
import { DeviceFacts } from '../device-facts.ts';
import { AccessReader } from './access-reader.ts';
import { CompiledPolicies, type Decider } from './compiled-policies.ts';
import type { PolicyAction } from './policy-document.ts';
import type { PolicyTarget } from './policy-store.ts';
import { TopicPattern, type VariableValues } from './topic-pattern.ts';

export interface AccessQuestion {
  readonly device: DeviceId;
  readonly action: PolicyAction;
  /** A topic; for `subscribe` a filter; for `connect` a client id. */
  readonly subject: string;
  /** With which client id it connects; by default its own id. */
  readonly clientId?: string | undefined;
  /** The certificate that it shows, where policies are attached to that. */
  readonly certificateId?: string | undefined;
}

/** Why a device may do something, or may not. */
export interface AccessExplanation {
  readonly allowed: boolean;
  /** One sentence for people. */
  readonly reason: string;
  readonly device: { readonly id: string; readonly type: string | undefined; readonly group: string };
  /** All that it has, the widest first, with why it has them. */
  readonly policies: readonly { readonly name: string; readonly by: PolicyTarget }[];
  /** The statement that decided; undefined where none did. */
  readonly decidedBy: (Decider & { readonly expanded: string | undefined }) | undefined;
  /** What the variables of its policies stand for; null: nothing that may stand in a topic. */
  readonly variables: Readonly<Record<string, string | null>>;
}

/** Answers "why was this denied?" by the very rules that gateways decide by. */
export class AccessExplainer {
  readonly #certificates: KnownCertificates;
  readonly #facts: DeviceFacts;
  readonly #clock: Clock;
  readonly #access: AccessReader;

  constructor(dependencies: { readonly database: Database; readonly clock: Clock }) {
    this.#certificates = new KnownCertificates(dependencies.database);
    this.#facts = new DeviceFacts(dependencies.database);
    this.#clock = dependencies.clock;
    this.#access = new AccessReader(dependencies.database);
  }

  /** @throws SelsynError `device.not-found`, `request.invalid` for what is no topic or filter */
  async explain(question: AccessQuestion): Promise<AccessExplanation> {
    checkSubject(question);
    const { device, action, subject, certificateId } = question;
    const clientId = action === 'connect' ? subject : (question.clientId ?? device);
    const facts = await this.#facts.of(device, clientId);
    if (facts === undefined)
      throw new SelsynError('device.not-found', `there is no device ${device}`, { details: { id: device } });
    const attached = await this.#access.attachedTo(facts, certificateId);
    const compiled = new CompiledPolicies(attached);
    const values = compiled.valuesFor(facts);
    const common = {
      device: { id: device, type: facts.type, group: facts.group },
      policies: attached.map(({ name, by }) => ({ name, by })),
      variables: Object.fromEntries(compiled.variables.map((name, index) => [name, values[index] ?? null])),
    };
    const fault = certificateId === undefined ? undefined : await this.#faultOf(certificateId, device);
    if (fault !== undefined) return { ...common, allowed: false, reason: fault, decidedBy: undefined };
    const connecting = compiled.decideClient(clientId, values);
    if (connecting?.effect !== 'allow') {
      const reason = sentence(connecting, device, 'connect', clientId);
      return { ...common, allowed: false, reason, decidedBy: told(connecting, compiled, values) };
    }
    const decider = decide(compiled, action, subject, values);
    // A retained message is published too.
    const publishing = action === 'retain' ? compiled.decideTopic('publish', subject, values) : decider;
    const decisive = publishing?.effect === 'allow' ? decider : publishing;
    const of = decisive === decider ? action : 'publish';
    return {
      ...common,
      allowed: decisive?.effect === 'allow',
      reason: sentence(decisive, device, of, subject),
      decidedBy: told(decisive, compiled, values),
    };
  }

  async #faultOf(certificateId: string, device: string): Promise<string | undefined> {
    const certificate = await this.#certificates.find(certificateId);
    if (certificate === undefined) return `certificate ${certificateId.slice(0, 16)}… is not registered here`;
    if (certificate.deviceId !== device) return `certificate ${certificateId.slice(0, 16)}… is not that of ${device}`;
    return faultOfCertificate(certificate, this.#clock.now());
  }
}

function decide(compiled: CompiledPolicies, action: PolicyAction, subject: string, values: VariableValues): Decider | undefined {
  if (action === 'connect') return compiled.decideClient(subject, values);
  if (action === 'subscribe') return compiled.decideFilter(parseSharedFilter(subject)?.filter ?? subject, values);
  return compiled.decideTopic(action, subject, values);
}

function told(
  decider: Decider | undefined,
  { variables }: CompiledPolicies,
  values: VariableValues,
): AccessExplanation['decidedBy'] {
  if (decider === undefined) return undefined;
  const { policy, statement, effect, pattern } = decider;
  const expanded = new TopicPattern(pattern, (name) => variables.indexOf(name)).expand(
    values,
    effect === 'deny' ? 'anything' : 'nothing',
  );
  return { policy, statement, effect, pattern, expanded };
}

const VERBS: Readonly<Record<PolicyAction, string>> = {
  connect: 'connect with the client id',
  publish: 'publish to',
  retain: 'retain a message on',
  subscribe: 'subscribe to',
  receive: 'receive messages on',
};

function sentence(decider: Decider | undefined, device: string, action: PolicyAction, subject: string): string {
  const what = `${VERBS[action]} ${subject}`;
  if (decider === undefined) return `${device} may not ${what}: none of its policies allows it`;
  const { policy, statement, effect, pattern } = decider;
  const by = `statement ${statement + 1} of policy ${policy} ${effect === 'allow' ? 'allows' : 'denies'} ${pattern}`;
  return effect === 'allow' ? `${device} may ${what}: ${by}` : `${device} may not ${what}: ${by}`;
}

function checkSubject({ action, subject }: AccessQuestion): void {
  const isValid = action === 'connect' || (action === 'subscribe' ? isValidTopicFilter(subject) : isValidTopicName(subject));
  if (isValid) return;
  const what = action === 'subscribe' ? 'topic filter' : 'topic name: wildcards stand only in filters';
  throw new SelsynError('request.invalid', `"${subject}" is no ${what}`, { details: { field: 'subject' } });
}
