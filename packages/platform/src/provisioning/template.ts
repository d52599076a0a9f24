import type { AttributeValue } from '../registry/device-attributes.ts';

/** How devices of one kind come in: what they become, from what they say of themselves. */
export interface Template extends TemplateDefinition {
  readonly name: string;
  /** While false nobody enrols by it. */
  readonly enabled: boolean;
  /** The node of the group tree below which all its devices come to stand: the constant part of `device.group`. */
  readonly group: string;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
}

/**
 * Texts may hold `${parameters.NAME}`: in `device` and, at any depth, in the values of `configuration`.
 *
 * ```
 * { "parameters": { "SerialNumber": {}, "Site": { "default": "kiel" } },
 *   "device": { "id": "gh-${parameters.SerialNumber}", "type": "greenhouse", "group": "/acme/${parameters.Site}" },
 *   "policies": ["greenhouse"],
 *   "configuration": { "intervalSec": 60, "site": "${parameters.Site}" } }
 * ```
 */
export interface TemplateDefinition {
  readonly description: string;
  /** What a device may say of itself. What is not named here is not looked at. */
  readonly parameters: Readonly<Record<string, TemplateParameter>>;
  /** Which of the parameters is the serial number that the manifest knows it by. */
  readonly serial: string;
  readonly device: TemplateDevice;
  /** Names of policies that are attached to each device. */
  readonly policies: readonly string[];
  /** What a device is told when it has enrolled. */
  readonly configuration: Readonly<Record<string, AttributeValue>>;
  /** Whether only serial numbers of its manifest may enrol. */
  readonly manifestRequired: boolean;
  readonly hook?: TemplateHook | undefined;
}

export interface TemplateParameter {
  /** Used where a device does not say it; without one it must. */
  readonly default?: string | undefined;
}

export interface TemplateDevice {
  /** Of the serial number alone: who may choose it could be anybody. */
  readonly id: string;
  readonly name?: string | undefined;
  /** A device type that there is. Of no parameters: what a device may do can hang on it. */
  readonly type?: string | undefined;
  /** A parameter stands for one name in the path, or a part of one. */
  readonly group: string;
  readonly tags: readonly string[];
  readonly attributes: Readonly<Record<string, AttributeValue>>;
}

/** Asked before a device is let in; see pre-provisioning-hook.ts. */
export interface TemplateHook {
  /** `http:` or `https:`. */
  readonly url: string;
}

/**
 * Begins the names of parameters that the server knows by itself, from the certificate of a device that registers just in time:
 * `AWS::IoT::Certificate::CommonName`. A device cannot say them.
 */
export const SERVER_PARAMETER_PREFIX = 'AWS::';
export const DEFAULT_SERIAL_PARAMETER = 'SerialNumber';
/** In it a device shows the HMAC that its manifest entry was made with. Never kept, and never put into a device. */
export const PROOF_PARAMETER = 'Hmac';
