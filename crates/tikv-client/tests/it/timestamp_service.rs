//! Timestamps of a service that runs apart from the placement driver.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use local_pd::PdConfig;
use parking_lot::Mutex;
use tikv_client::{PdClient, Security, Timestamp};
use tikv_proto::tsopb::tso_server::{Tso, TsoServer};
use tikv_proto::{pdpb, tsopb};
use tokio::net::TcpListener;
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tokio_stream::{Stream, StreamExt};
use tokio_util::task::AbortOnDropHandle;
use tonic::transport::Server;
use tonic::{Request, Response, Status, Streaming};

use super::facade::{Facade, Plan};

/// What the members of the service share.
#[derive(Default)]
struct Service {
    /// Address of the primary.
    primary: Mutex<String>,
    /// The last timestamp, as a number.
    last: AtomicU64,
    /// Addresses of members that gave timestamps, in order.
    given_by: Mutex<Vec<String>>,
}

/// A member of the service.
struct Member {
    service: Arc<Service>,
    address: String,
}

#[tonic::async_trait]
impl Tso for Member {
    type TsoStream = Pin<Box<dyn Stream<Item = Result<tsopb::TsoResponse, Status>> + Send>>;

    async fn tso(
        &self,
        request: Request<Streaming<tsopb::TsoRequest>>,
    ) -> Result<Response<Self::TsoStream>, Status> {
        let (service, address) = (Arc::clone(&self.service), self.address.clone());
        let mut requests = request.into_inner();
        let (sender, answers) = tokio::sync::mpsc::channel(4);
        tokio::spawn(async move {
            while let Some(Ok(request)) = requests.next().await {
                let header = request.header.unwrap();
                assert_eq!((header.keyspace_id, header.keyspace_group_id), (u32::MAX, 7));
                let answer = if *service.primary.lock() == address {
                    service.given_by.lock().push(address.clone());
                    let step = u64::from(request.count);
                    let last = service.last.fetch_add(step, Ordering::SeqCst) + step;
                    Ok(tsopb::TsoResponse {
                        header: Some(tsopb::ResponseHeader {
                            cluster_id: header.cluster_id,
                            ..Default::default()
                        }),
                        count: request.count,
                        timestamp: Some(pdpb::Timestamp {
                            physical: 5,
                            logical: last as i64,
                            suffix_bits: 0,
                        }),
                    })
                } else {
                    Err(Status::unavailable("not the primary"))
                };
                let ends = answer.is_err();
                if sender.send(answer).await.is_err() || ends {
                    return;
                }
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(answers))))
    }

    async fn find_group_by_keyspace_id(
        &self,
        _: Request<tsopb::FindGroupByKeyspaceIdRequest>,
    ) -> Result<Response<tsopb::FindGroupByKeyspaceIdResponse>, Status> {
        let primary = self.service.primary.lock().clone();
        let members = vec![
            tsopb::KeyspaceGroupMember { address: "http://127.0.0.1:1".to_owned(), is_primary: false },
            tsopb::KeyspaceGroupMember { address: primary, is_primary: true },
        ];
        let group = tsopb::KeyspaceGroup { id: 7, members, ..Default::default() };
        Ok(Response::new(tsopb::FindGroupByKeyspaceIdResponse {
            keyspace_group: Some(group),
            ..Default::default()
        }))
    }
}

impl Service {
    /// Starts a member and returns its URL.
    async fn member(self: &Arc<Self>) -> (String, AbortOnDropHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let member = Member { service: Arc::clone(self), address: address.clone() };
        let server = tokio::spawn(async move {
            let incoming = TcpListenerStream::new(listener);
            Server::builder()
                .add_service(TsoServer::new(member))
                .serve_with_incoming(incoming)
                .await
                .unwrap();
        });
        (address, AbortOnDropHandle::new(server))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn timestamps_come_from_the_primary_of_the_service_and_follow_it() {
    let dir = tempfile::tempdir().unwrap();
    let pd = local_pd::start(PdConfig::new(([127, 0, 0, 1], 0).into(), dir.path())).await.unwrap();
    let front = Facade::start(pd.url()).await;
    let service = Arc::new(Service::default());
    let (one, _one) = service.member().await;
    let (two, _two) = service.member().await;
    service.primary.lock().clone_from(&two);
    let (id, own) = (pd.cluster_id(), front.url());
    let urls = vec!["http://127.0.0.1:1".to_owned(), one.clone(), two.clone()];
    front.script(move |call| {
        let header = Some(pdpb::ResponseHeader { cluster_id: id, error: None });
        let member = pdpb::Member { client_urls: vec![own.clone()], ..Default::default() };
        match call.method.as_str() {
            "GetMembers" => Plan::always(pdpb::GetMembersResponse {
                header,
                members: vec![member.clone()],
                leader: Some(member),
                etcd_leader: None,
            }),
            "GetClusterInfo" => Plan::always(pdpb::GetClusterInfoResponse {
                header,
                service_modes: vec![pdpb::ServiceMode::ApiSvcMode as i32],
                tso_urls: urls.clone(),
            }),
            _ => Plan::Pass,
        }
    });
    let client = PdClient::connect(&[front.url()], Security::none()).await.unwrap();
    let first = client.get_ts_batch(3).await.unwrap();
    assert_eq!(first, Timestamp::compose(5, 1).0);
    assert_eq!(client.get_ts().await.unwrap(), Timestamp::compose(5, 4).0);
    // The primary moves: the stream to the old one breaks, and the new one is asked for.
    service.primary.lock().clone_from(&one);
    assert_eq!(client.get_ts().await.unwrap(), Timestamp::compose(5, 5).0);
    assert_eq!(*service.given_by.lock(), [two.clone(), two, one]);
    assert_eq!(front.count("Tso"), 0, "the placement driver gives no timestamps in this mode");
}
