// What images of users may be: where they may lie, how large they may be, how long they may take.

export interface InputPolicy {
  /** What is read, for messages and the question to the file's server. Absent: an image. */
  kind?: 'image' | 'clip' | 'sound'
  /** Also http, private addresses and this machine (DYN_MM_ALLOW_INTERNAL). */
  allowInternal: boolean
  /** Downloads go by the proxy that the environment names (HTTPS_PROXY). */
  byProxy?: boolean
  /** The one folder that file:// addresses may name (DYN_MM_LOCAL_PATH); absent: none. */
  localPath?: string
  /** Of a data: address, in MB of 10^6 decoded bytes (DYN_MM_MAX_DATA_URL_MB); absent: `maxBytes`. */
  maxDataUrlMb?: number
  /** Of any file. */
  maxBytes: number
  /** Width times height, as the file's head says it: checked before anything is decoded. */
  maxPixels: number
  /** For a download: names, redirects and bytes together. */
  timeoutMs: number
  maxRedirects: number
  /** Hears how many bytes of a download have come, as they come. */
  onBytes?(bytes: number): void
}

/** 50 MB are OpenAI's limit for an uploaded image; 50 megapixels are the largest phone photographs, 200 MB of memory while they are decoded. */
export const defaultPolicy: InputPolicy = {
  allowInternal: false,
  maxBytes: 50_000_000,
  maxPixels: 50_000_000,
  timeoutMs: 30_000,
  maxRedirects: 5,
}

/** The internet, as far as downloads ask it; tests bring their own. */
export interface Network {
  /** All addresses of a name. Rejects when there is none. */
  resolve(name: string): Promise<string[]>
  isPublic(address: string): boolean
  /** Authorities to trust besides the system's. */
  ca?: string
}
