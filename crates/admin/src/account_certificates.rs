//! Certificates by which clients sign in as an account (SASL EXTERNAL).

use directory::Fingerprint;
use store::Change;

use crate::response::{Refusal, Response};
use crate::service::Admin;

impl Admin {
    pub(crate) async fn certificate_add(&self, address: &str, text: &str) -> Result<Response, Refusal> {
        let account = self.account(address).await?;
        let name = fingerprint(text)?.to_string();
        let said = format!("whoever has the certificate {name} signs in as {}", account.address);
        self.commit(vec![Change::AddCertificate { account: account.id, name }]).await?;
        Ok(Response::Done { said })
    }

    pub(crate) async fn certificate_list(&self, address: &str) -> Result<Response, Refusal> {
        let account = self.account(address).await?;
        Ok(Response::Certificates { certificates: self.store.certificates_of(account.id).await? })
    }

    pub(crate) async fn certificate_remove(&self, address: &str, text: &str) -> Result<Response, Refusal> {
        let account = self.account(address).await?;
        let name = fingerprint(text)?.to_string();
        if !self.store.certificates_of(account.id).await?.contains(&name) {
            let remedy = format!("see the list: waxseal account certificate list {}", account.address);
            return Err(Refusal::new(format!("{} has no certificate {name}", account.address), remedy));
        }
        let said = format!("the certificate {name} is for {} no longer", account.address);
        self.commit(vec![Change::RemoveCertificate { account: account.id, name }]).await?;
        Ok(Response::Done { said })
    }
}

fn fingerprint(text: &str) -> Result<Fingerprint, Refusal> {
    Fingerprint::parse(text).ok_or_else(|| {
        let remedy =
            "64 hexadecimal digits, as `openssl x509 -noout -fingerprint -sha256 -in FILE` prints them";
        Refusal::new("this is no SHA-256 fingerprint of a certificate", remedy)
    })
}
