import { Button } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import { useSyncExternalStore } from 'react';
import { REVOCATION_REASONS, type Certificate } from '../api/certificates.ts';
import { useServices } from '../app/services.ts';
import { formatTime } from '../format/age.ts';
import { Badge } from '../ui/badge.tsx';
import { When } from '../ui/when.tsx';
import { certificateState } from './certificate-state.ts';
import styles from './certificates.module.css';

interface CertificateRowProps {
  readonly certificate: Certificate;
  /** Where the list is of more than one device. */
  readonly withHolder?: boolean;
  /** Absent: it may not be revoked. */
  readonly onRevoke: ((certificate: Certificate) => void) | undefined;
}

export const CERTIFICATE_COLUMNS = ['Fingerprint', 'State', 'Key', 'Issued', 'First used', 'Ends', ''] as const;
export const HELD_COLUMNS = ['Holder', ...CERTIFICATE_COLUMNS] as const;

export function CertificateRow({ certificate, withHolder = false, onRevoke }: CertificateRowProps) {
  const { ticker } = useServices();
  const nowMs = useSyncExternalStore(ticker.subscribe, ticker.now);
  const state = certificateState(certificate, nowMs);
  return (
    <tr data-certificate={certificate.id} data-state={state.text}>
      {withHolder && (
        <td data-label="Holder">
          <Holder certificate={certificate} />
        </td>
      )}
      <td data-label="Fingerprint">
        <span>
          <code title={certificate.id}>{certificate.id.slice(0, 16)}…</code>
          <small title={certificate.serial}>serial {certificate.serial}</small>
        </span>
      </td>
      <td data-label="State">
        <span>
          <Badge tone={state.tone}>{state.text}</Badge>
          {certificate.revocationReason !== undefined && (
            <small title={formatTime(certificate.revokedAtMs ?? 0)}>{reasonText(certificate.revocationReason)}</small>
          )}
        </span>
      </td>
      <td data-label="Key">{certificate.keyKind}</td>
      <td data-label="Issued">
        <When timeMs={certificate.createdAtMs} />
      </td>
      <td data-label="First used">
        {certificate.firstUsedAtMs === undefined ? 'never' : <When timeMs={certificate.firstUsedAtMs} />}
      </td>
      <td data-label="Ends">
        <span>
          <When timeMs={certificate.notAfterMs} />
          <small>{formatTime(certificate.notAfterMs).slice(0, 10)}</small>
        </span>
      </td>
      <td className={styles.action}>
        {onRevoke !== undefined && certificate.status !== 'revoked' && (
          <Button variant="default" size="xs" onClick={() => onRevoke(certificate)}>
            Revoke
          </Button>
        )}
      </td>
    </tr>
  );
}

function Holder({ certificate: { device, claimBatch } }: { readonly certificate: Certificate }) {
  if (device !== undefined) {
    return (
      <Link to="/devices/$deviceId" params={{ deviceId: device }} search={{ tab: 'certificates' }}>
        {device}
      </Link>
    );
  }
  if (claimBatch === undefined) return '–';
  return (
    <Link to="/provisioning" search={{ tab: 'claims' }}>
      claim batch {claimBatch}
    </Link>
  );
}

function reasonText(reason: string): string {
  return REVOCATION_REASONS.find(([code]) => code === reason)?.[1] ?? reason;
}
