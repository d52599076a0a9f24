import { namedAttributes, type NameAttribute } from '../pki/name-attributes.ts';
import { type Parameters, readParameters } from './provisioning-payload.ts';
import { SERVER_PARAMETER_PREFIX } from './template.ts';

/** As AWS has it: `AWS::IoT::Certificate::CommonName`. */
const CERTIFICATE_PREFIX = `${SERVER_PARAMETER_PREFIX}IoT::Certificate::`;

/**
 * What the subject of a certificate request says of a device, as parameters of a template: `CommonName`, `SerialNumber`, `Country`,
 * `LocalityName`, `StateName`, `Organization`, `OrganizationalUnit`, `DistinguishedNameQualifier`. The template's serial number is its
 * serialNumber, and where it has none its common name.
 *
 * @throws PayloadError
 */
export function saidParameters(subject: readonly NameAttribute[], serialParameter: string): Parameters {
  const named = namedAttributes(subject);
  const serial = serialOf(named);
  return readParameters({
    ...Object.fromEntries(named),
    ...(serial !== undefined && !serialParameter.startsWith(SERVER_PARAMETER_PREFIX) && { [serialParameter]: serial }),
  });
}

/**
 * The same of a certificate that an authority has signed: the server knows it. Also with AWS's names, `AWS::IoT::Certificate::` in front,
 * and its `Id`.
 *
 * @throws PayloadError
 */
export function certifiedParameters(
  subject: readonly NameAttribute[],
  certificateId: string,
  serialParameter: string,
): Parameters {
  const ofAws = [...namedAttributes(subject)].map(([name, value]) => [`${CERTIFICATE_PREFIX}${name}`, value]);
  return readParameters({
    ...saidParameters(subject, serialParameter),
    ...Object.fromEntries(ofAws),
    [`${CERTIFICATE_PREFIX}Id`]: certificateId,
  });
}

function serialOf(named: ReturnType<typeof namedAttributes>): string | undefined {
  return named.get('SerialNumber') ?? named.get('CommonName');
}
